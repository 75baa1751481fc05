"""Is the correlation with the truth the planted one?"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import spearmanr

from lgq_explore.analysis.audit import rank_correlation
from lgq_explore.analysis.audit.follows import Judged
from lgq_explore.errors import InputError

METHODS = np.repeat(["a", "b", "c", "d", "e", "f", "g", "h"], 25)


def planted(correlation: float, seed: int = 0) -> Judged:
    """Fits whose metric has this correlation with a normal truth, on two sets."""
    generator = np.random.default_rng(seed)
    truth = generator.normal(size=len(METHODS))
    noise = generator.normal(size=(len(METHODS), 2))
    values = correlation * truth[:, None] + math.sqrt(1 - correlation**2) * noise
    return Judged.of(values, truth, METHODS)


@pytest.mark.parametrize("correlation", [0.9, 0.3, 0.0, -0.6])
def test_distortion_with_noise_has_the_planted_rank_correlation(correlation: float) -> None:
    judged = [planted(correlation, seed) for seed in (0, 1)]
    found = rank_correlation(judged, resamples=99)
    # Of a bivariate normal, Spearman's is 6/π asin(r/2) (Pearson 1907).
    expected = 6 / math.pi * math.asin(correlation / 2)
    assert found.value == pytest.approx(expected, abs=0.07)
    assert found.low < expected < found.high
    assert found.high - found.low < 0.35
    theirs = [spearmanr(each.values[:, part], each.truth).statistic for each in judged for part in (0, 1)]
    assert found.value == pytest.approx(np.mean(theirs))


def test_what_follows_exactly_has_1_and_what_never_varies_0() -> None:
    truth = np.array([1.0, 2.0, 4.0, 8.0])
    names = ["a", "a", "b", "b"]
    assert rank_correlation([Judged.of(np.log(truth)[:, None], truth, names)], resamples=9).value == pytest.approx(1)
    assert rank_correlation([Judged.of(-truth[:, None], truth, names)], resamples=9).value == pytest.approx(-1)
    assert rank_correlation([Judged.of(np.ones((4, 1)), truth, names)], resamples=9).value == 0


def test_mixtures_are_judged_each_by_itself() -> None:
    easy, hard = np.array([1.0, 2.0, 3.0]), np.array([101.0, 102.0, 103.0])
    # Together, a metric that is high on the hard mixture would seem to follow.
    judged = [Judged.of(-easy[:, None], easy, ["a", "b", "c"]), Judged.of(1000 - hard[:, None], hard, ["a", "b", "c"])]
    assert rank_correlation(judged, resamples=9).value == pytest.approx(-1)


def test_methods_are_resampled_and_not_fits() -> None:
    generator = np.random.default_rng(0)
    of_method = np.repeat(generator.normal(size=(4, 2)), 50, axis=0)  # four methods, whose fits are all alike
    names = np.repeat(["a", "b", "c", "d"], 50)
    found = rank_correlation([Judged.of(of_method[:, :1], of_method[:, 1], names)], resamples=199)
    assert found.high - found.low > 0.8  # fits would give 0.3


def test_nothing_to_judge_is_refused() -> None:
    with pytest.raises(InputError, match="0 mixtures were judged"):
        rank_correlation([])
    with pytest.raises(InputError, match=r"give \[fits, sets\]"):
        Judged.of(np.zeros((2, 1)), [1.0], ["a"])
