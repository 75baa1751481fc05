"""Tests of intervals of means, differences and ratios: known answers, planted differences, coverage."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from lgq_explore.bench.coverage import RandomEffects, holds
from lgq_explore.errors import InputError
from lgq_explore.statistics import difference_interval, mean_interval, ratio_interval

EVEN = RandomEffects(seeds=0.2, photographs=1.0, residual=0.3)


def values(seeds: int = 6, photographs: int = 12, seed: int = 0) -> NDArray[np.float64]:
    return 25 + EVEN.drawn(np.random.default_rng(seed), seeds, photographs)


def test_where_seeds_alone_vary_it_is_the_t_interval_of_the_seeds() -> None:
    of_seeds = np.random.default_rng(0).normal(size=(6, 1))
    found = mean_interval(np.repeat(of_seeds, 9, axis=1))
    low, high = stats.t.interval(0.95, 5, of_seeds.mean(), stats.sem(of_seeds[:, 0]))
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-9)


def test_where_photographs_alone_vary_it_is_the_t_interval_of_the_photographs() -> None:
    of_photographs = np.random.default_rng(0).normal(size=(1, 9))
    found = mean_interval(np.repeat(of_photographs, 6, axis=0))
    low, high = stats.t.interval(0.95, 8, of_photographs.mean(), stats.sem(of_photographs[0]))
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-9)


def test_p_values_of_a_difference_of_seeds_alone_are_those_of_scipy() -> None:
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(7, 1)), generator.normal(size=(7, 1)) + 1
    wide_a, wide_b = np.repeat(a, 9, axis=1), np.repeat(b, 9, axis=1)
    paired = difference_interval(wide_a, wide_b, paired_seeds=True)
    assert paired.p_value == pytest.approx(stats.ttest_rel(a, b).pvalue[0], rel=1e-9)
    independent = difference_interval(wide_a, wide_b, paired_seeds=False)
    assert independent.p_value == pytest.approx(stats.ttest_ind(a, b, equal_var=False).pvalue[0], rel=1e-9)


@pytest.mark.parametrize("method", ["components", "percentile"])
@pytest.mark.parametrize("paired_seeds", [True, False])
def test_the_p_value_is_the_level_at_which_the_interval_ends_at_the_null_value(method, paired_seeds) -> None:
    a, b = values(), values(seed=1) + 0.2
    found = difference_interval(a, b, paired_seeds=paired_seeds, method=method)
    assert found.p_value is not None
    assert 0 < found.p_value < 1
    at_p = difference_interval(a, b, paired_seeds=paired_seeds, method=method, level=1 - found.p_value)
    assert min(abs(at_p.low), abs(at_p.high)) == pytest.approx(0, abs=1e-6 if method == "components" else 5e-3)


@pytest.mark.parametrize("method", ["components", "percentile"])
@pytest.mark.parametrize("paired_seeds", [True, False])
def test_identical_runs_do_not_differ(method, paired_seeds) -> None:
    runs = values()
    difference = difference_interval(runs, runs, paired_seeds=paired_seeds, method=method)
    assert difference.estimate == 0
    assert holds(difference, 0)
    assert difference.p_value > 0.5
    ratio = ratio_interval(runs, runs, paired_seeds=paired_seeds, method=method)
    assert ratio.estimate == 1
    assert holds(ratio, 1)


@pytest.mark.parametrize("method", ["components", "percentile"])
def test_a_planted_difference_is_found_at_its_size(method) -> None:
    generator = np.random.default_rng(3)
    photographs = 25 + generator.normal(size=(1, 60))
    runs = RandomEffects(seeds=0.1, photographs=0, residual=0.2)
    a, b = (photographs + runs.drawn(generator, 8, 60) for _ in range(2))
    found = difference_interval(a + 0.5, b, paired_seeds=False, method=method)
    assert holds(found, 0.5)
    assert found.low > 0.2
    assert found.p_value < 0.01
    assert (found.seeds, found.photographs) == (8, 60)
    # Photographs are paired: how they differ among each other does not widen the interval.
    apart = difference_interval(a + 0.5, b[:, ::-1], paired_seeds=False, method=method)
    assert apart.high - apart.low > 2 * (found.high - found.low)


def test_a_planted_ratio_is_found_at_its_size() -> None:
    a, b = values(seeds=8, photographs=60), values(seeds=8, photographs=60, seed=1)
    found = ratio_interval(0.8 * a, a, paired_seeds=True)
    assert (found.estimate, found.low, found.high) == pytest.approx((0.8, 0.8, 0.8))
    assert holds(ratio_interval(0.8 * a, b, paired_seeds=False), 0.8)
    there, back = ratio_interval(a, b, paired_seeds=False), ratio_interval(b, a, paired_seeds=False)
    assert (there.low, there.high) == pytest.approx((1 / back.high, 1 / back.low))


@pytest.mark.parametrize("paired_seeds", [True, False])
def test_the_logarithm_of_a_ratio_of_values_near_one_varies_as_their_difference(paired_seeds) -> None:
    a, b = 1 + 1e-5 * values(), 1 + 1e-5 * values(seed=1)
    ratio = ratio_interval(a, b, paired_seeds=paired_seeds)
    difference = difference_interval(a, b, paired_seeds=paired_seeds)
    assert ratio.low - 1 == pytest.approx(difference.low, rel=1e-2)
    assert ratio.high - 1 == pytest.approx(difference.high, rel=1e-2)


@pytest.mark.parametrize("method", ["components", "percentile"])
def test_weights_are_photographs_counted_that_often_in_the_mean(method) -> None:
    runs, weights = values(), np.arange(12.0)
    found = mean_interval(runs, weights=weights, method=method)
    assert found.estimate == pytest.approx((runs * weights).sum() / (6 * weights.sum()))
    assert found.photographs == 11  # one has the weight 0
    equal, without = mean_interval(runs, weights=np.full(12, 3.0), method=method), mean_interval(runs, method=method)
    assert (equal.low, equal.high) == pytest.approx((without.low, without.high))


def test_a_weighted_mean_varies_as_a_ratio_of_sums() -> None:
    """Over photographs alone: P/(P − 1) Σ w² (y − m)² / (Σ w)², Cochran's variance of a ratio."""
    generator = np.random.default_rng(0)
    of_photographs, weights = generator.normal(size=30), generator.uniform(1, 5, size=30)
    found = mean_interval(np.tile(of_photographs, (6, 1)), weights=weights)
    deviations = weights * (of_photographs - np.average(of_photographs, weights=weights))
    error = np.sqrt(30 / 29 * np.sum(deviations**2)) / weights.sum()
    assert (found.high - found.low) / 2 == pytest.approx(stats.t.ppf(0.975, 29) * error, rel=1e-9)


@pytest.mark.parametrize(("seeds", "photographs", "said"), [(5, 7, "8 photographs"), (4, 8, "5 seeds")])
def test_few_seeds_or_photographs_give_points(seeds: int, photographs: int, said: str) -> None:
    runs = values(seeds, photographs)
    for found in (
        mean_interval(runs),
        difference_interval(runs, runs + 1, paired_seeds=True),
        ratio_interval(runs, runs + 1, paired_seeds=False),
    ):
        assert (found.low, found.high, found.p_value) == (None, None, None)
        assert said in found.why
        assert np.isfinite(found.estimate)
    assert mean_interval(values(5, 8)).why == ""


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: mean_interval([1.0, 2.0]), r"values has the shape \(2,\)"),
        (lambda: mean_interval(np.full((5, 8), np.nan)), "values holds nan at seed 0, photograph 0"),
        (lambda: mean_interval(values(), level=95), "level is 95"),
        (lambda: mean_interval(values(), method="bca"), "method is 'bca'"),
        (lambda: mean_interval(values(), method="percentile", resamples=1), "resamples is 1"),
        (lambda: mean_interval(values(), weights=[1.0]), r"weights have the shape \(1,\)"),
        (lambda: mean_interval(values(), weights=-np.ones(12)), "at least 0"),
        (lambda: difference_interval(values(6), values(7), paired_seeds=True), "6 and 7 seeds"),
        (lambda: difference_interval(values(6, 9), values(6, 8), paired_seeds=False), "same photographs"),
        (lambda: difference_interval(values(), values(), paired_seeds=[0, 1]), r"paired_seeds is \[0, 1\]: give True"),
        (lambda: ratio_interval(values(), values(), paired_seeds=1), "paired_seeds is 1: give True or False"),
        (lambda: ratio_interval(values(), -values(), paired_seeds=False), "above 0"),
        (lambda: ratio_interval(values(), values(), paired_seeds=False, null=0), "null is 0"),
    ],
)
def test_unusable_input_is_named(call, said: str) -> None:
    with pytest.raises(InputError, match=said):
        call()


COVERED = [
    (5, 8, RandomEffects(seeds=0.3, photographs=0.5, residual=0.3)),
    (5, 240, RandomEffects(seeds=0.15, photographs=1.0, residual=0.6)),
    (8, 40, RandomEffects(seeds=0.2, photographs=0.5, residual=0.5)),
    (10, 8, RandomEffects(seeds=0.1, photographs=0.5, residual=0.2)),
    (10, 240, RandomEffects(seeds=0.1, photographs=0.5, residual=0.4)),
]


@pytest.mark.parametrize(("seeds", "photographs", "effects"), COVERED)
def test_coverage_of_a_mean_is_within_two_points(seeds: int, photographs: int, effects: RandomEffects) -> None:
    """1,500 repetitions are off by 0.6 points (one standard deviation)."""
    generator = np.random.default_rng([seeds, photographs])
    held = [holds(mean_interval(effects.drawn(generator, seeds, photographs)), 0) for _ in range(1500)]
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(("seeds", "photographs", "effects"), COVERED[:4])
@pytest.mark.parametrize("paired_seeds", [True, False])
def test_coverage_of_a_difference_is_within_two_points(seeds, photographs, effects, paired_seeds) -> None:
    """Methods share the photographs' difficulty, and each has its own effects besides."""
    generator = np.random.default_rng([seeds, photographs, paired_seeds])
    held = []
    for _ in range(1000):
        difficulty = 3 * generator.normal(size=(1, photographs))
        run_starts = 0.5 * generator.normal(size=(seeds, 1)) * paired_seeds
        a, b = (difficulty + run_starts + effects.drawn(generator, seeds, photographs) for _ in range(2))
        held.append(holds(difference_interval(a, b, paired_seeds=paired_seeds), 0))
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)


def test_percentiles_cover_too_little_with_five_seeds() -> None:
    """Why they are not the default: the spread of 5 resampled seeds is √(4/5) of theirs, and the tails are short."""
    generator, effects = np.random.default_rng(0), RandomEffects(seeds=0.3, photographs=0.5, residual=0.1)
    held = [
        holds(mean_interval(effects.drawn(generator, 5, 60), method="percentile", resamples=500), 0) for _ in range(400)
    ]
    assert np.mean(held) < 0.91
