"""Do the curves keep the order and shares of planted counts, and the ends when they are thinned?"""

from __future__ import annotations

import numpy as np
import pytest

from lgq_explore.analysis.usage import by_rank, lorenz
from lgq_explore.analysis.usage.inequality import LARGEST_CURVE
from lgq_explore.errors import InputError
from lgq_explore.frames.usage import COUNTED, UNIFORM
from lgq_explore.metrics import gini, gini_uniform
from lgq_explore.runs.study import Study
from tests.analysis.planted_codes import study_of_codes


def study_with_counts(counts: np.ndarray | list[int]) -> Study:
    codes = np.repeat(np.arange(len(counts)), counts)
    return study_of_codes(np.random.default_rng(0).permutation(codes).reshape(-1, 1, 1, 1), [len(counts)])


def test_codes_by_rank() -> None:
    ranked = by_rank(study_with_counts([2, 0, 5, 1]))
    assert ranked["rank"].tolist() == [1, 2, 3]
    assert ranked["code"].tolist() == [2, 0, 3]
    assert ranked["count"].tolist() == [5, 2, 1]
    assert ranked["share"].tolist() == [5 / 8, 2 / 8, 1 / 8]


def test_a_planted_power_law_is_a_line_of_its_slope() -> None:
    counts = np.rint(1e5 / np.arange(1, 101)).astype(int)
    ranked = by_rank(study_with_counts(counts))
    slope, _ = np.polyfit(np.log(ranked["rank"]), np.log(ranked["count"]), 1)
    assert slope == pytest.approx(-1, abs=1e-3)


def test_a_long_curve_is_thinned_and_keeps_its_ends() -> None:
    counts = np.arange(1, 3001)
    ranked = by_rank(study_with_counts(counts))
    assert len(ranked) <= LARGEST_CURVE
    assert ranked["rank"].is_unique
    assert ranked["rank"].iloc[[0, 1, -1]].tolist() == [1, 2, 3000]
    assert (ranked["count"] == 3001 - ranked["rank"]).all()
    curve = lorenz(study_with_counts(counts)).query("curve == @COUNTED")
    assert len(curve) <= LARGEST_CURVE
    assert area_based_gini(curve) == pytest.approx(gini(counts, len(counts)), abs=1e-4)


def test_the_curves_hold_their_gini_and_the_kink_where_dead_codes_end() -> None:
    counts = np.array([0] * 600 + [3] * 399 + [500])
    curves = lorenz(study_with_counts(counts))
    counted, uniform = (curves[curves["curve"] == name] for name in (COUNTED, UNIFORM))
    assert area_based_gini(counted) == pytest.approx(gini(counts, 1000))
    assert area_based_gini(uniform) == pytest.approx(gini_uniform(int(counts.sum()), 1000), abs=1e-3)
    assert counted.iloc[1].tolist() == [COUNTED, pytest.approx(0.6), 0]
    for curve in (counted, uniform):
        assert curve[["code_share", "token_share"]].iloc[[0, -1]].to_numpy().tolist() == [[0, 0], [1, 1]]


@pytest.mark.parametrize("analysis", [by_rank, lorenz])
def test_a_study_without_tokens_is_refused(analysis: object) -> None:
    with pytest.raises(InputError, match="no tokens"):
        analysis(study_of_codes(np.zeros((0, 1, 2, 2), dtype=np.int64), [4]))


def area_based_gini(curve: object) -> float:
    return 1 - 2 * np.trapezoid(curve["token_share"], curve["code_share"])
