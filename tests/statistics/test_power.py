"""Tests of the photographs and seeds that a difference takes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import nct
from scipy.stats import t as student

from lgq_explore.bench.coverage import RandomEffects
from lgq_explore.errors import InputError
from lgq_explore.statistics import (
    VarianceComponents,
    difference_interval,
    power,
    required_design,
    variance_components,
)

INDEPENDENT = VarianceComponents(photographs=0.5, seeds=(0.04, 0.04), residuals=(0.09, 0.09))


def test_components_are_those_that_were_drawn() -> None:
    generator = np.random.default_rng(0)
    a, b = RandomEffects(0.3, 0.0, 0.5), RandomEffects(0.1, 0.0, 0.2)
    difficulty, interaction = 5 * generator.normal(size=(1, 400)), 0.7 * generator.normal(size=(1, 400))
    of_a = difficulty + interaction + a.drawn(generator, 300, 400)
    of_b = difficulty + b.drawn(generator, 300, 400)
    found = variance_components(of_a, of_b, paired_seeds=False)
    assert found.photographs == pytest.approx(0.49, rel=0.25)
    assert found.seeds == pytest.approx((0.09, 0.01), rel=0.25)
    assert found.residuals == pytest.approx((0.25, 0.04), rel=0.05)
    paired = variance_components(of_a, of_b, paired_seeds=True)
    assert paired.seeds == pytest.approx((0.10,), rel=0.25)
    assert paired.residuals == pytest.approx((0.29,), rel=0.05)


def test_the_variance_of_a_design_is_the_formula() -> None:
    found = INDEPENDENT.expected(photographs=20, seeds=6)
    assert found.variance == pytest.approx(0.5 / 20 + 2 * (0.04 / 6 + 0.09 / 120))
    assert found.seeds == pytest.approx((0.04 / 6 + 0.09 / 120,) * 2)


def test_where_seeds_alone_vary_it_is_the_power_of_the_t_test() -> None:
    """Of two independent samples of n: the noncentral t distribution with 2 (n − 1) degrees of freedom."""
    components = VarianceComponents(0.0, (1.0, 1.0), (0.0, 0.0))
    shift, quantile = 1.0 / np.sqrt(2 / 10), student.ppf(0.975, 18)
    expected = nct.sf(quantile, 18, shift) + nct.cdf(-quantile, 18, shift)
    assert power(1.0, components, photographs=20, seeds=10) == pytest.approx(expected, rel=1e-6)
    assert power(0.0, components, photographs=20, seeds=10) == pytest.approx(0.05)
    assert power(-1.0, components, photographs=20, seeds=10) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("seeds", "photographs", "difference"), [(5, 40, 0.4), (10, 24, 0.4)])
def test_power_is_the_share_of_simulated_comparisons_that_find_the_difference(seeds, photographs, difference) -> None:
    generator, found = np.random.default_rng(0), []
    runs = RandomEffects(seeds=0.2, photographs=0.0, residual=0.3)
    for _ in range(1500):
        interaction = np.sqrt(0.5) * generator.normal(size=(1, photographs))
        a, b = (runs.drawn(generator, seeds, photographs) for _ in range(2))
        found.append(difference_interval(a + interaction + difference, b, paired_seeds=False).p_value < 0.05)
    assert power(difference, INDEPENDENT, photographs, seeds) == pytest.approx(np.mean(found), abs=0.04)


def test_the_required_design_is_the_smallest_that_is_enough() -> None:
    found = required_design(0.25, INDEPENDENT, photographs=240)
    assert found.why == ""
    assert found.power == power(0.25, INDEPENDENT, found.photographs, found.seeds) >= 0.8
    assert power(0.25, INDEPENDENT, 240, found.seeds - 1) < 0.8
    assert power(0.25, INDEPENDENT, found.photographs - 1, found.seeds) < 0.8
    assert required_design(5.0, INDEPENDENT, photographs=240).seeds == 5


@pytest.mark.parametrize("difference", [0.5, 1.0, 2.0, 3.0, 5.0])
def test_a_large_difference_is_found_by_few_seeds(difference: float) -> None:
    """Its probability to be missed by many seeds is too small for double precision."""
    components = VarianceComponents(0.0, (0.65,), (0.84,))
    assert power(difference, components, photographs=1000, seeds=1000) == 1.0
    found = required_design(difference, components, photographs=1000)
    assert found.why == ""
    assert found.seeds is not None
    assert found.seeds < 30


def test_what_photographs_make_impossible_is_said() -> None:
    found = required_design(0.1, INDEPENDENT, photographs=24)
    assert (found.photographs, found.seeds) == (None, None)
    assert found.why.startswith("1000 seeds on 24 photographs find 0.1 in ")


def test_nothing_that_varies_is_always_found() -> None:
    assert power(0.1, VarianceComponents(0.0, (0.0,), (0.0,)), photographs=8, seeds=5) == 1


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: required_design(0, INDEPENDENT, photographs=240), "difference is 0"),
        (lambda: required_design(1, INDEPENDENT, photographs=7), "photographs is 7"),
        (lambda: required_design(1, INDEPENDENT, photographs=240, wanted_power=80), "wanted_power is 80"),
        (lambda: power(1, INDEPENDENT, photographs=240, seeds=4), "5 seeds at least"),
        (lambda: power(1, INDEPENDENT, photographs=240, seeds=5, level=95), "level is 95"),
        (
            lambda: variance_components(np.ones((5, 8)), np.ones((5, 8)), paired_seeds="no"),
            "is 'no': give True or False",
        ),
        (lambda: variance_components(np.ones((1, 8)), np.ones((1, 8)), paired_seeds=True), "2 of each"),
        (lambda: variance_components(np.ones((5, 8)), np.ones((5, 9)), paired_seeds=False), r"\(5, 9\)"),
    ],
)
def test_unusable_input_is_named(call, said: str) -> None:
    with pytest.raises(InputError, match=said):
        call()
