"""The two registered hypotheses: LGQ against FSQ and against SimVQ at the largest codebook size."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from lgq_explore.errors import InputError
from lgq_explore.statistics import (
    MIN_SEEDS,
    CurvesDoNotCompare,
    Interval,
    RateDistortionCurve,
    RequiredDesign,
    difference_interval,
    distortion_above_curve,
    holm,
    ratio_interval,
    required_design,
    variance_components,
)

from .cells import AllCells, Cells
from .verdict import REGISTERED, Evidence, Margins, Outcome, Verdict, outcome_of

OURS, RIVALS = "lgq", ("fsq", "simvq")
WANTED_POWER = 0.8


@dataclass(frozen=True)
class Compared:
    """LGQ against a rival at one codebook size.

    evidence: of the verdict. feature_error, perplexity: ratios, secondary. bits: difference of entropies per token.
    resampled: of log FD ratio by the percentiles of the crossed bootstrap, beside that of the verdict. why_no_curve: a
    sentence where PSNR can't be compared at equal bits; else empty.
    """

    method: str
    rival: str
    codebook_size: int
    evidence: Evidence
    feature_error: Interval
    perplexity: Interval
    bits: Interval
    resampled: Interval
    verdict: Verdict
    why_no_curve: str = ""


def compared(
    cells: AllCells, codebook_size: int, *, margins: Margins = REGISTERED, method: str = OURS
) -> dict[str, Compared]:
    """Rivals of RIVALS that have cells beside the method's at this size, with Holm's correction over all of them.

    A hypothesis without an interval yet counts as one whose p is 1. Raises InputError for cells without features.
    """
    ours = cells.get((method, codebook_size))
    theirs = {rival: cells[rival, codebook_size] for rival in RIVALS if (rival, codebook_size) in cells}
    if ours is None:
        return {}
    found = {rival: _compared(ours, other, cells) for rival, other in theirs.items()}
    p_values = [_p_value(found.get(rival)) for rival in RIVALS]
    adjusted = dict(zip(RIVALS, holm(p_values).tolist(), strict=True))
    return {rival: _judged(each, adjusted[rival], ours, theirs[rival], margins) for rival, each in found.items()}


def _p_value(one: Compared | None) -> float:
    p = None if one is None else one.evidence.log_fd.p_value
    return 1.0 if p is None else p


def _judged(one: Compared, p_holm: float, ours: Cells, other: Cells, margins: Margins) -> Compared:
    has_interval = one.evidence.log_fd.p_value is not None
    evidence = replace(one.evidence, p_holm=p_holm if has_interval else None)
    outcome = outcome_of(evidence, margins)
    required = required_for(evidence, ours, other, margins) if outcome is Outcome.UNDECIDED else None
    return replace(one, evidence=evidence, verdict=Verdict(outcome, required))


def _compared(ours: Cells, other: Cells, cells: AllCells) -> Compared:
    log_fd = _ratio(ours, other, "fd").mapped(math.log)
    curve, why = above_curve(ours, other.method, cells)
    bits = _difference(ours, other, "entropy_bits")
    evidence = Evidence(
        log_fd=log_fd,
        psnr_db=_difference(ours, other, "psnr_db"),
        active_ratio=_ratio(ours, other, "active_codes"),
        above_curve=curve,
        p_holm=None,
    )
    return Compared(
        method=ours.method,
        rival=other.method,
        codebook_size=ours.codebook_size,
        evidence=evidence,
        feature_error=_ratio(ours, other, "feature_error"),
        perplexity=bits.mapped(lambda difference: 2.0**difference),
        bits=bits,
        resampled=_ratio(ours, other, "fd", method="percentile").mapped(math.log),
        verdict=Verdict(Outcome.UNDECIDED),
        why_no_curve=why,
    )


def above_curve(
    ours: Cells, rival: str, cells: AllCells, *, fewest_seeds: int = MIN_SEEDS
) -> tuple[Interval | None, str]:
    """PSNR above the rival's own curve at the same bits, in dB, or why there is none.

    The curve goes through the sizes with so many seeds, by default with enough for an interval.
    """
    points = [
        each.point for (method, _), each in sorted(cells.items()) if method == rival and len(each.seeds) >= fewest_seeds
    ]
    point = ours.point
    if point is None:
        return None, "The method has no codes."
    try:
        curve = RateDistortionCurve(rival, [each for each in points if each is not None])
        return distortion_above_curve(point, curve, name=ours.method), ""
    except CurvesDoNotCompare as error:
        return None, str(error).replace("\n", " ")


def required_for(evidence: Evidence, ours: Cells, other: Cells, margins: Margins = REGISTERED) -> RequiredDesign | None:
    """The photographs and seeds that would find the estimated difference of log FD, or log 1.02 if that is larger.

    None for fewer than 2 seeds of a method. The variance is that of FD over its mean, to first order.
    """
    of_ours, of_other = (_required(each, "fd") for each in (ours, other))
    if min(len(of_ours), len(of_other)) < 2:
        return None
    relative = []
    for each, values in ((ours, of_ours), (other, of_other)):
        weights = each.crops / each.crops.mean()
        mean = float(np.average(values.mean(axis=0), weights=each.crops))
        relative.append(weights * (values - mean) / mean)
    components = variance_components(*relative, paired_seeds=False)
    difference = max(abs(evidence.log_fd.estimate), math.log(margins.fd_ratio))
    return required_design(difference, components, photographs=len(ours.digests), wanted_power=WANTED_POWER)


def _required(cells: Cells, number: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    values = cells.values(number)
    if values is None:
        raise InputError(
            f"{cells.method} with {cells.codebook_size} codes has no {number} of each photograph: evaluate its cells "
            "with features = true, where EfficientNet-Lite0 is installed"
        )
    return values


def _ratio(ours: Cells, other: Cells, number: str, **settings: str) -> Interval:
    return ratio_interval(
        _required(ours, number),
        _required(other, number),
        paired_seeds=False,
        weights=ours.weights(number),
        **settings,  # type: ignore[arg-type]
    )


def _difference(ours: Cells, other: Cells, number: str) -> Interval:
    return difference_interval(
        _required(ours, number), _required(other, number), paired_seeds=False, weights=ours.weights(number)
    )
