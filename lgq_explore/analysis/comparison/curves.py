"""Methods compared at equal rate and at equal distortion, over their codebook sizes."""

from __future__ import annotations

import itertools
import math

import pandas as pd

from lgq_explore.frames.comparison import CURVE_DIFFERENCES
from lgq_explore.statistics import (
    CurveDifference,
    CurvePoint,
    CurvesDoNotCompare,
    RateDistortionCurve,
    distortion_at_equal_rate,
    rate_at_equal_distortion,
)

from .groups import GroupedRuns
from .intervals import interval_columns

RATE, DISTORTION = "entropy_bits", "psnr_db"
"""Bits per token as counted, and PSNR in dB."""


def curve_differences(compared: GroupedRuns) -> pd.DataFrame:
    """ΔPSNR at equal bits and bits at equal PSNR of all pairs of methods: `frames.comparison.CURVE_DIFFERENCES`.

    A method has a curve if it was trained with at least two codebook sizes. Nothing is said beyond the range that both
    curves have; `why` says where there is none.
    """
    curves = method_curves(compared)
    return CURVE_DIFFERENCES.frame(
        [row for first, second in itertools.combinations(curves, 2) for row in _rows(compared, first, second)]
    )


def method_curves(compared: GroupedRuns) -> list[RateDistortionCurve]:
    """The curves of the methods that have one, through the means of their groups."""
    points: dict[str, list[CurvePoint]] = {}
    weights = compared.weights(DISTORTION)
    for group in compared.groups:
        rate, distortion = compared.values(group, RATE), compared.values(group, DISTORTION)
        if rate is not None and distortion is not None:
            points.setdefault(group.method, []).append(CurvePoint(rate, distortion, weights))
    return [RateDistortionCurve(method, found) for method, found in points.items() if len(found) > 1]


def _rows(compared: GroupedRuns, first: RateDistortionCurve, second: RateDistortionCurve) -> list[dict[str, object]]:
    rows = []
    for equal, number, compare in (
        (RATE, DISTORTION, distortion_at_equal_rate),
        (DISTORTION, RATE, rate_at_equal_distortion),
    ):
        try:
            found = _columns(compare(first, second))
        except CurvesDoNotCompare as error:
            found = _without(compared, first, second, str(error).replace("\n", " "))
        rows.append({"first": first.name, "second": second.name, "at_equal": equal, "number": number} | found)
    return rows


def _columns(found: CurveDifference) -> dict[str, object]:
    ends = {"difference": found.difference.estimate, "from": found.low, "to": found.high}
    return ends | interval_columns(found.difference)


def _without(
    compared: GroupedRuns, first: RateDistortionCurve, second: RateDistortionCurve, why: str
) -> dict[str, object]:
    nothing = dict.fromkeys(("difference", "from", "to", "low", "high", "level"), math.nan)
    seeds = min(len(point.distortion) for curve in (first, second) for point in curve.points)
    return nothing | {"seeds": seeds, "photographs": len(compared.digests), "why": why}
