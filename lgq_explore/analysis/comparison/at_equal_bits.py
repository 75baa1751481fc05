"""Methods read off their rate–distortion curves at one rate: PSNR at equal bits."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from lgq_explore.frames.comparison import AT_EQUAL_BITS, CURVE_LINES
from lgq_explore.statistics import (
    CurvesDoNotCompare,
    Interval,
    RateDistortionCurve,
    difference_at_rate,
    distortion_at_rate,
    interpolated_distortions,
)

from .curves import DISTORTION, RATE, method_curves
from .groups import GroupedRuns
from .intervals import interval_columns

LINE_POINTS = 65
"""Of a drawn curve, its ends among them."""


def shared_bits(compared: GroupedRuns) -> tuple[float, float] | None:
    """The bits per token between which two curves at least are known; one curve's own, and None where none overlap."""
    return _shared_bits(_usable(method_curves(compared)))


def why_no_bits(compared: GroupedRuns) -> str:
    """Why `shared_bits` finds none, in a sentence; empty where it finds some."""
    curves = _usable(method_curves(compared))
    if _shared_bits(curves) is not None:
        return ""
    if not curves:
        return "No method was trained with two codebook sizes: there is no curve to be read at equal bits."
    ranges = [f"{curve.name} from {_ends(curve)[0]:.2f} to {_ends(curve)[1]:.2f}" for curve in curves]
    return f"The curves do not overlap, {'; '.join(ranges)} bits per token: nothing can be compared at equal bits."


def curve_lines(compared: GroupedRuns) -> pd.DataFrame:
    """The curve of each method that has one, interpolated as it is read: `frames.comparison.CURVE_LINES`."""
    rows = []
    for curve in _usable(method_curves(compared)):
        rates = np.linspace(*_ends(curve), LINE_POINTS)
        heights = interpolated_distortions(curve, rates)
        rows += [
            {"method": curve.name, RATE: rate, DISTORTION: height} for rate, height in zip(rates, heights, strict=True)
        ]
    return CURVE_LINES.frame(rows)


def at_equal_bits(compared: GroupedRuns, bits: float) -> pd.DataFrame:
    """PSNR of each method with codes at one rate, and its difference from the best one: `AT_EQUAL_BITS`.

    bits: per token. A method of one codebook size has no curve, and a curve is not continued beyond its points: `why`
    says so.
    """
    curves = {curve.name: curve for curve in method_curves(compared)}
    coded = dict.fromkeys(group.method for group in compared.groups if group.runs[0].counts is not None)
    read = {method: _read(curves[method], bits) for method in coded if method in curves}
    known = {method: found for method, found in read.items() if isinstance(found, Interval)}
    best = max(known, key=lambda method: known[method].estimate) if known else ""
    return AT_EQUAL_BITS.frame(
        [_row(compared, method, bits, curves, read.get(method), best) for method in coded],
    )


def _shared_bits(curves: Sequence[RateDistortionCurve]) -> tuple[float, float] | None:
    ends = [_ends(curve) for curve in curves]
    if len(ends) == 1:
        return ends[0]
    pairs = [(max(a[0], b[0]), min(a[1], b[1])) for a, b in itertools.combinations(ends, 2)]
    overlaps = [(low, high) for low, high in pairs if low < high]
    if not overlaps:
        return None
    return min(low for low, _ in overlaps), max(high for _, high in overlaps)


def _row(
    compared: GroupedRuns,
    method: str,
    bits: float,
    curves: dict[str, RateDistortionCurve],
    found: Interval | str | None,
    best: str,
) -> dict[str, object]:
    row = {"method": method, RATE: bits, "best": best, "difference": math.nan}
    if isinstance(found, Interval):
        own = interval_columns(found)
        row |= {DISTORTION: found.estimate, "psnr_low": own["low"], "psnr_high": own["high"]}
        if method == best:
            return row | own | {"low": math.nan, "high": math.nan}
        difference = difference_at_rate(curves[method], curves[best], bits)
        return row | {"difference": difference.estimate} | interval_columns(difference)
    nothing = dict.fromkeys((DISTORTION, "psnr_low", "psnr_high", "low", "high", "level"), math.nan)
    seeds = min(len(group.seeds) for group in compared.groups if group.method == method)
    why = found or "It was trained with one codebook size: a curve takes two."
    return row | nothing | {"seeds": seeds, "photographs": len(compared.digests), "why": why}


def _read(curve: RateDistortionCurve, bits: float) -> Interval | str:
    try:
        return distortion_at_rate(curve, bits)
    except CurvesDoNotCompare as error:
        low, high = _ends(curve)
        inside = low <= bits <= high
        return (
            str(error).replace("\n", " ") if inside else f"Its curve goes from {low:.2f} to {high:.2f} bits per token."
        )


def _usable(curves: Sequence[RateDistortionCurve]) -> list[RateDistortionCurve]:
    """Those whose points have rates of their own."""
    return [curve for curve in curves if len(np.unique(curve.means[:, 0])) == len(curve.means)]


def _ends(curve: RateDistortionCurve) -> tuple[float, float]:
    rates = curve.means[:, 0]
    return float(rates.min()), float(rates.max())
