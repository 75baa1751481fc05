"""The verdict on one hypothesis, by the rules of benchmarks/PREREGISTRATION.md.

With intervals at 95 % of LGQ against a rival, at one codebook size:

    quality is better      the whole interval of log FD ratio lies below 0, and p (Holm) is below 0.05
    quality is worse       it lies above 0, and p (Holm) is below 0.05
    quality is refused     it lies above −log 1.02: a gain of 2 % is left out
    quality is not worse   it ends below log 1.02, and that of the PSNR difference begins above −0.25 dB
    rate is better         that of the ratio of active codes ends below 0.75, and PSNR above the rival's own curve at
                           LGQ's bits is above 0 with its whole interval
    rate is refused        the ratio of active codes lies above 0.75, or PSNR is below the curve with its whole interval

A part without an interval is neither.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from lgq_explore.statistics import Interval, RequiredDesign


class Outcome(StrEnum):
    """What is said of a hypothesis."""

    SUPPORTED = "supported"
    QUALITY_ONLY = "supported in quality only"
    RATE_ONLY = "supported in rate only"
    CONTRADICTED = "contradicted"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Margins:
    """fd_ratio: up to which FD is not worse. psnr_db: above which PSNR is not worse. active_ratio: below which the
    rate is better. p_value: below which a difference of quality counts, after Holm."""

    fd_ratio: float = 1.02
    psnr_db: float = -0.25
    active_ratio: float = 0.75
    p_value: float = 0.05


@dataclass(frozen=True)
class Evidence:
    """Intervals of LGQ against a rival.

    log_fd: of log (FD of LGQ / FD of the rival). psnr_db: of the difference. active_ratio: of active codes.
    above_curve: PSNR of LGQ minus that of the rival's curve at LGQ's bits, in dB; None where the curves can't be
    compared. p_holm: of log_fd, two-sided, after Holm; None without an interval.
    """

    log_fd: Interval
    psnr_db: Interval
    active_ratio: Interval
    above_curve: Interval | None
    p_holm: float | None


@dataclass(frozen=True)
class Verdict:
    """outcome: by the rules. required: of an undecided one, the photographs and seeds that it would take."""

    outcome: Outcome
    required: RequiredDesign | None = None


REGISTERED = Margins()


def outcome_of(evidence: Evidence, margins: Margins = REGISTERED) -> Outcome:
    """The outcome of a hypothesis, by the rules of the module's first lines.

    Contradicted is a worse quality that no better rate makes up for, and the refusal of both parts.
    """
    is_significant = evidence.p_holm is not None and evidence.p_holm < margins.p_value
    quality_better = is_significant and _ends_below(evidence.log_fd, 0.0)
    quality_worse = is_significant and _begins_above(evidence.log_fd, 0.0)
    rate_better = _rate_is_better(evidence, margins)
    if quality_better:
        return Outcome.SUPPORTED if rate_better else Outcome.QUALITY_ONLY
    if rate_better and _is_not_worse(evidence, margins):
        return Outcome.RATE_ONLY
    quality_refused = _begins_above(evidence.log_fd, -math.log(margins.fd_ratio))
    if quality_worse or (quality_refused and _rate_is_refused(evidence, margins)):
        return Outcome.CONTRADICTED
    return Outcome.UNDECIDED


def _is_not_worse(evidence: Evidence, margins: Margins) -> bool:
    is_close = _ends_below(evidence.log_fd, math.log(margins.fd_ratio))
    return is_close and _begins_above(evidence.psnr_db, margins.psnr_db)


def _rate_is_better(evidence: Evidence, margins: Margins) -> bool:
    return _ends_below(evidence.active_ratio, margins.active_ratio) and _begins_above(evidence.above_curve, 0.0)


def _rate_is_refused(evidence: Evidence, margins: Margins) -> bool:
    return _begins_above(evidence.active_ratio, margins.active_ratio) or _ends_below(evidence.above_curve, 0.0)


def _ends_below(interval: Interval | None, value: float) -> bool:
    return interval is not None and interval.high is not None and interval.high < value


def _begins_above(interval: Interval | None, value: float) -> bool:
    return interval is not None and interval.low is not None and interval.low > value
