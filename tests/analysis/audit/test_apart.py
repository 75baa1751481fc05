"""Are methods told apart where they differ, and only there?"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from lgq_explore.analysis.audit import separation
from lgq_explore.errors import InputError


def test_the_auc_is_mann_and_whitney_s_and_is_taken_within_sets() -> None:
    generator = np.random.default_rng(0)
    x, y = generator.normal(0.5, 1, (7, 1)), generator.normal(0, 1, (5, 1))
    expected = mannwhitneyu(x[:, 0], y[:, 0]).statistic / (7 * 5)
    assert separation(x, y).auc == pytest.approx(expected)
    # What sets have in common cancels.
    of_sets = generator.normal(0, 100, 20)
    assert separation(x + of_sets, y + of_sets).auc == pytest.approx(expected)
    assert separation([[1.0], [2.0]], [[1.0], [1.0]]).auc == 0.75  # a tie counts half


def test_d_prime_is_the_difference_over_the_deviation_over_seeds() -> None:
    found = separation([[3.0, 13.0], [5.0, 15.0]], [[1.0, 11.0], [3.0, 13.0]])
    assert found.d_prime == pytest.approx(2 / math.sqrt(2))
    assert separation([[1.0], [1.0]], [[0.0], [0.0]]).d_prime == math.inf
    assert separation([[1.0], [1.0]], [[1.0], [1.0]]).d_prime == 0


def test_equal_methods_have_a_half_inside_their_interval_and_different_ones_have_1() -> None:
    generator, inside = np.random.default_rng(1), 0
    for _ in range(100):
        x, y = generator.normal(0, 1, (2, 10, 1))
        found = separation(x, y, resamples=199, generator=generator)
        inside += found.low <= 0.5 <= found.high
        apart = separation(x + 20, y, resamples=19, generator=generator)
        assert (apart.auc, apart.low, apart.high) == (1, 1, 1)
    assert inside >= 88  # of 95 expected; percentile intervals of ten seeds are a little too narrow


def test_a_single_seed_has_no_interval() -> None:
    found = separation([[1.0, 2.0]], [[0.0, 3.0], [0.0, 1.0]])
    assert found.auc == 0.75
    assert all(map(math.isnan, (found.low, found.high, found.d_prime)))


def test_values_of_other_sets_are_refused() -> None:
    with pytest.raises(InputError, match=r"values of shapes \[1, 2\] and \[1, 1\]: give \[seeds, sets\] of the same"):
        separation([[1.0, 2.0]], [[1.0]])
    with pytest.raises(InputError, match="give"):
        separation(np.zeros((0, 1)), [[1.0]])
