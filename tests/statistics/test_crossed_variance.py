"""Tests of the variance of a mean over drawn seeds and photographs."""

from __future__ import annotations

import numpy as np
import pytest

from lgq_explore.bench.coverage import RandomEffects
from lgq_explore.statistics import CrossedVariance, crossed_variance


def test_the_mean_squares_are_those_of_the_analysis_of_variance() -> None:
    """By sums over all values, as tables of a two-way analysis without replication have them."""
    y = np.random.default_rng(0).normal(size=(5, 9)) + np.arange(9)
    (seeds, photographs), mean = y.shape, y.mean()
    total = ((y - mean) ** 2).sum()
    between_seeds = photographs * ((y.mean(axis=1) - mean) ** 2).sum()
    between_photographs = seeds * ((y.mean(axis=0) - mean) ** 2).sum()
    found = crossed_variance([y])
    assert found.seeds[0] == pytest.approx(between_seeds / (seeds - 1) / y.size)
    assert found.photographs == pytest.approx(between_photographs / (photographs - 1) / y.size)
    rest = total - between_seeds - between_photographs
    assert found.residuals[0] == pytest.approx(rest / ((seeds - 1) * (photographs - 1)) / y.size)
    expected = found.seeds[0] + found.photographs - found.residuals[0]
    assert found.photographs > found.residuals[0]
    assert found.variance == pytest.approx(max(expected, found.photographs))


def test_the_variance_of_drawn_values_is_that_of_their_mean() -> None:
    effects, generator = RandomEffects(seeds=0.5, photographs=1.0, residual=0.7), np.random.default_rng(0)
    found = [crossed_variance([effects.drawn(generator, 6, 20)]).variance for _ in range(2000)]
    assert np.mean(found) == pytest.approx(0.25 / 6 + 1 / 20 + 0.49 / 120, rel=0.05)


def test_two_groups_of_seeds_add_up_over_shared_photographs() -> None:
    generator = np.random.default_rng(0)
    true = 0.25 / 6 + 0.04 / 9 + 1 / 20 + 0.49 / 120 + 0.01 / 180
    a, b = RandomEffects(0.5, 0.0, 0.7), RandomEffects(0.2, 0.0, 0.1)
    found = []
    for _ in range(2000):
        difficulty = 5 * generator.normal(size=(1, 20))
        interaction = generator.normal(size=(1, 20))
        groups = [difficulty + interaction + a.drawn(generator, 6, 20), -difficulty - b.drawn(generator, 9, 20)]
        found.append(crossed_variance(groups).variance)
    assert np.mean(found) == pytest.approx(true, rel=0.05)


def test_a_component_below_zero_counts_as_zero() -> None:
    """Where seeds and photographs vary less than the rest alone would make them, the rest remains."""
    found = CrossedVariance(0.1, (0.2,), (0.5,), number_of_photographs=9, number_of_seeds=(5,))
    assert found.variance == pytest.approx(0.5)
    assert found.degrees_of_freedom == pytest.approx(32)
    seeds_alone = CrossedVariance(0.1, (0.7,), (0.5,), number_of_photographs=9, number_of_seeds=(5,))
    assert seeds_alone.variance == pytest.approx(0.7)
    assert seeds_alone.degrees_of_freedom == pytest.approx(4)


def test_satterthwaite_by_hand() -> None:
    """(0.6 + 0.5 − 0.1)² / (0.6²/8 + 0.5²/4 + 0.1²/32)."""
    found = CrossedVariance(0.6, (0.5,), (0.1,), number_of_photographs=9, number_of_seeds=(5,))
    assert found.variance == pytest.approx(1.0)
    assert found.degrees_of_freedom == pytest.approx(1 / (0.36 / 8 + 0.25 / 4 + 0.01 / 32))


def test_nothing_that_varies_has_no_error() -> None:
    found = crossed_variance([np.ones((5, 8))])
    assert found.standard_error == 0
    assert found.degrees_of_freedom == float("inf")
