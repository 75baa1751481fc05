"""Tests of the crossed bootstrap: its closed forms, and intervals of any statistic."""

from __future__ import annotations

import numpy as np
import pytest

from lgq_explore.errors import InputError
from lgq_explore.statistics import Sample, difference_interval, mean_interval, statistic_interval
from lgq_explore.statistics.bootstrap import resampled_means


def test_resampled_means_of_one_photograph_and_of_one_seed_are_plain_bootstraps() -> None:
    """Their variance is Σ (y − ȳ)²/n², Efron and Tibshirani's equation 5.12."""
    values = np.random.default_rng(0).normal(size=(10, 1))
    for given in (values, values.T):
        (draws,) = resampled_means([given], np.ones(given.shape[1]), 20_000, seed=0)
        assert draws.mean() == pytest.approx(values.mean(), abs=0.01)
        assert draws.var() == pytest.approx(values.var() / 10, rel=0.05)


def test_resamples_are_of_whole_photographs_and_whole_seeds() -> None:
    """The variance of the pigeonhole bootstrap: of seeds, of photographs, and of what is in neither (Owen 2007)."""
    y = np.random.default_rng(0).normal(size=(6, 9))
    residual = y - y.mean(axis=0) - y.mean(axis=1, keepdims=True) + y.mean()
    expected = y.mean(axis=1).var() / 6 + y.mean(axis=0).var() / 9 + (residual**2).mean() / 54
    (draws,) = resampled_means([y], np.ones(9), 40_000, seed=0)
    assert draws.var() == pytest.approx(expected, rel=0.04)


def test_methods_share_the_resampled_photographs_and_not_the_seeds() -> None:
    of_photographs, of_seeds = np.tile(np.arange(9.0), (6, 1)), np.tile(np.arange(6.0)[:, None], (1, 9))
    a, b = resampled_means([of_photographs, of_photographs], np.ones(9), 100, seed=0)
    assert a == pytest.approx(b)
    a, b = resampled_means([of_seeds, of_seeds], np.ones(9), 2000, seed=0)
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.1


def test_weights_are_those_of_the_mean() -> None:
    y, weights = np.random.default_rng(0).normal(size=(1, 9)), np.arange(1.0, 10)
    generator = np.random.default_rng(5)
    counts = generator.multinomial(9, np.full(9, 1 / 9), size=50)
    (draws,) = resampled_means([y], weights, 50, seed=5)
    assert draws == pytest.approx([np.average(y[0], weights=each * weights) for each in counts])


def test_resamples_are_repeatable() -> None:
    y = np.random.default_rng(0).normal(size=(6, 9))
    first, again, other = (mean_interval(y, method="percentile", resamples=200, seed=seed) for seed in (1, 1, 2))
    assert first == again != other


def test_a_mean_as_a_statistic_has_the_interval_of_a_mean() -> None:
    y = np.random.default_rng(0).normal(size=(6, 9)) + np.arange(6)[:, None] / 5 + np.arange(9) / 5
    found = statistic_interval(lambda photographs, seeds: y[np.ix_(seeds, photographs)].mean(), Sample(9, (6,)))
    expected = mean_interval(y)
    assert found.estimate == pytest.approx(expected.estimate)
    assert found.high - found.low == pytest.approx(expected.high - expected.low, rel=0.06)


def test_a_difference_of_two_groups_of_seeds_as_a_statistic() -> None:
    generator = np.random.default_rng(0)
    photographs = generator.normal(size=(1, 12))
    a, b = (photographs + generator.normal(size=(seeds, 1)) + generator.normal(size=(seeds, 12)) for seeds in (5, 8))

    def difference(photographs, of_a, of_b):
        return a[np.ix_(of_a, photographs)].mean() - b[np.ix_(of_b, photographs)].mean()

    found = statistic_interval(difference, Sample(12, (5, 8)), null=0.0)
    expected = difference_interval(a, b, paired_seeds=False)
    assert found.high - found.low == pytest.approx(expected.high - expected.low, rel=0.06)
    assert found.p_value == pytest.approx(expected.p_value, rel=0.2)
    assert (found.seeds, found.photographs) == (5, 12)


def test_few_seeds_give_a_point_without_a_resample() -> None:
    calls = []
    found = statistic_interval(lambda *indices: float(calls.append(indices) or 1), Sample(9, (4,)))
    assert (found.estimate, found.low, len(calls)) == (1.0, None, 1)


def test_unusable_samples_are_named() -> None:
    with pytest.raises(InputError, match="0 photographs"):
        Sample(0, (5,))
    with pytest.raises(InputError, match="resamples is 0"):
        statistic_interval(lambda *_: 0.0, Sample(9, (5,)), resamples=0)
