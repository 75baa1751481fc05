"""Tests of the verdict: its five outcomes, and its edges."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from benchmarks.headline.verdict import Evidence, Outcome, outcome_of
from lgq_explore.statistics import Interval


def interval(low: float | None, high: float | None) -> Interval:
    middle = 0.0 if low is None or high is None else (low + high) / 2
    return Interval(middle, low, high, 0.95, 10, 240)


SUPPORTED = Evidence(
    log_fd=interval(-0.2, -0.1),
    psnr_db=interval(-0.1, 0.3),
    active_ratio=interval(0.4, 0.6),
    above_curve=interval(0.1, 0.3),
    p_holm=0.001,
)
SAME_FD = interval(-0.01, 0.01)
MANY_CODES = interval(0.9, 1.1)
NONE = interval(None, None)


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, Outcome.SUPPORTED),
        ({"active_ratio": MANY_CODES}, Outcome.QUALITY_ONLY),
        ({"above_curve": None}, Outcome.QUALITY_ONLY),
        ({"above_curve": interval(-0.01, 0.3)}, Outcome.QUALITY_ONLY),
        ({"log_fd": SAME_FD, "p_holm": 0.9}, Outcome.RATE_ONLY),
        ({"log_fd": interval(0.001, 0.015), "p_holm": 0.01}, Outcome.RATE_ONLY),  # worse, and by less than 2 %
        ({"log_fd": interval(0.1, 0.2)}, Outcome.CONTRADICTED),
        ({"log_fd": SAME_FD, "p_holm": 0.9, "active_ratio": MANY_CODES}, Outcome.CONTRADICTED),
        ({"log_fd": SAME_FD, "p_holm": 0.9, "above_curve": interval(-0.3, -0.1)}, Outcome.CONTRADICTED),
        ({"log_fd": interval(-0.1, 0.1), "p_holm": 0.9}, Outcome.UNDECIDED),
        ({"log_fd": interval(-0.1, 0.1), "p_holm": 0.9, "active_ratio": MANY_CODES}, Outcome.UNDECIDED),
        ({"log_fd": SAME_FD, "p_holm": 0.9, "psnr_db": interval(-0.3, 0.1)}, Outcome.UNDECIDED),
        ({"log_fd": interval(-0.2, -0.001), "p_holm": 0.06}, Outcome.RATE_ONLY),  # not after Holm
        ({"log_fd": NONE, "p_holm": None}, Outcome.UNDECIDED),
        ({"log_fd": NONE, "p_holm": None, "active_ratio": NONE, "above_curve": None}, Outcome.UNDECIDED),
    ],
)
def test_an_outcome_follows_from_the_intervals(changes: dict[str, object], outcome: Outcome) -> None:
    assert outcome_of(replace(SUPPORTED, **changes)) is outcome  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "within", "on_the_edge"),
    [
        ({"log_fd": interval(-0.2, -1e-9)}, Outcome.SUPPORTED, {"log_fd": interval(-0.2, 0.0)}),
        ({"active_ratio": interval(0.4, 0.7499)}, Outcome.SUPPORTED, {"active_ratio": interval(0.4, 0.75)}),
        ({"above_curve": interval(1e-9, 0.1)}, Outcome.SUPPORTED, {"above_curve": interval(0.0, 0.1)}),
        ({"p_holm": 0.0499}, Outcome.SUPPORTED, {"p_holm": 0.05}),
        (
            {"log_fd": interval(-0.05, math.log(1.0199)), "p_holm": 0.5},
            Outcome.RATE_ONLY,
            {"log_fd": interval(-0.05, math.log(1.02)), "p_holm": 0.5},
        ),
        (
            {"log_fd": SAME_FD, "p_holm": 0.5, "psnr_db": interval(-0.249, 0.1)},
            Outcome.RATE_ONLY,
            {"log_fd": SAME_FD, "p_holm": 0.5, "psnr_db": interval(-0.25, 0.1)},
        ),
    ],
)
def test_a_margin_itself_is_not_within(
    changes: dict[str, object], within: Outcome, on_the_edge: dict[str, object]
) -> None:
    assert outcome_of(replace(SUPPORTED, **changes)) is within  # type: ignore[arg-type]
    assert outcome_of(replace(SUPPORTED, **on_the_edge)) is not within  # type: ignore[arg-type]
