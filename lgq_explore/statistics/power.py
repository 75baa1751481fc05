"""How many photographs and seeds a difference of a given size takes.

A pilot gives the variance components of a difference: σ²_p between photographs, and σ²_s between seeds and σ²_e of the
rest for each group of seeds. With S seeds and P photographs the difference then has the variance

    σ²_p/P + Σ_groups (σ²_s/S + σ²_e/(S P))

and the t test of `difference_interval` finds δ with the probability that |T| exceeds its quantile, T of the noncentral
t distribution at δ/√variance with Satterthwaite's degrees of freedom. More photographs alone cannot bring the variance
below Σ σ²_s/S, nor more seeds alone below σ²_p/P.

Searle, Casella & McCulloch, Variance Components, 1992; Cohen, Statistical Power Analysis, 1988.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ncfdtr, stdtrit

from lgq_explore.errors import InputError

from .crossed_variance import CrossedVariance, crossed_variance
from .interval import MIN_PHOTOGRAPHS, MIN_SEEDS, Sample, require_truth, require_values

MOST_SEEDS = 1_000
"""Beyond which a design is not looked for."""


@dataclass(frozen=True)
class VarianceComponents:
    """Of one value: between photographs, and between seeds and of the rest for each group of seeds.

    One group where seeds are paired, two where those of both methods are independent.
    """

    photographs: float
    seeds: tuple[float, ...]
    residuals: tuple[float, ...]

    def expected(self, photographs: int, seeds: int) -> CrossedVariance:
        """The expected mean squares of a design with as many seeds in each group."""
        of_rest = [residual / (seeds * photographs) for residual in self.residuals]
        return CrossedVariance(
            photographs=self.photographs / photographs + sum(of_rest),
            seeds=tuple(component / seeds + rest for component, rest in zip(self.seeds, of_rest, strict=True)),
            residuals=tuple(of_rest),
            number_of_photographs=photographs,
            number_of_seeds=(seeds,) * len(self.seeds),
        )


@dataclass(frozen=True)
class RequiredDesign:
    """The photographs and seeds (of each method) that find a difference with the probability `power`.

    None where none does; `why` is then a sentence that says why, and empty otherwise.
    """

    photographs: int | None
    seeds: int | None
    power: float
    why: str = ""


def variance_components(a: ArrayLike, b: ArrayLike, *, paired_seeds: bool) -> VarianceComponents:
    """Of the difference a − b, from a pilot: a and b [S, P] as in `difference_interval`, at least [2, 2].

    A component that would be negative is 0. Raises InputError for other shapes and numbers that are not finite.
    """
    require_truth(paired_seeds, "paired_seeds")
    of_a, of_b = require_values(a, "a"), require_values(b, "b")
    if of_a.shape[1] != of_b.shape[1] or (paired_seeds and len(of_a) != len(of_b)):
        raise InputError(f"a and b have the shapes {of_a.shape} and {of_b.shape}: pairs need as many of each")
    if min(*of_a.shape, *of_b.shape) < 2:
        raise InputError(f"a and b have the shapes {of_a.shape} and {of_b.shape}: a variance takes 2 of each at least")
    groups = [of_a - of_b] if paired_seeds else [of_a, -of_b]
    found = crossed_variance(groups)
    photographs = found.number_of_photographs
    return VarianceComponents(
        photographs=photographs * max(0.0, found.photographs - sum(found.residuals)),
        seeds=tuple(
            number * max(0.0, seed - residual)
            for number, seed, residual in zip(found.number_of_seeds, found.seeds, found.residuals, strict=True)
        ),
        residuals=tuple(
            number * photographs * residual
            for number, residual in zip(found.number_of_seeds, found.residuals, strict=True)
        ),
    )


def power(
    difference: float, components: VarianceComponents, photographs: int, seeds: int, *, level: float = 0.95
) -> float:
    """The probability that the interval at `level` leaves out 0, with so many photographs and seeds of each method.

    Raises InputError for a level outside of 0 … 1, and for fewer than have an interval.
    """
    too_few = Sample(photographs, (seeds,), level).why
    if too_few:
        raise InputError(too_few)
    expected = components.expected(photographs, seeds)
    if expected.variance == 0:
        return float(difference != 0)
    degrees, shift = expected.degrees_of_freedom, abs(difference) / expected.standard_error
    quantile = stdtrit(degrees, (1 + level) / 2)
    missed = float(ncfdtr(1, degrees, shift**2, quantile**2))  # T² has the noncentral F distribution
    return 1.0 if np.isnan(missed) else 1 - missed  # scipy has NaN where so small a probability underflows


def required_design(
    difference: float,
    components: VarianceComponents,
    *,
    photographs: int,
    wanted_power: float = 0.8,
    level: float = 0.95,
) -> RequiredDesign:
    """The fewest seeds that find the difference on `photographs`, and the fewest photographs for that many seeds.

    Seeds come first because each is a training, while a photograph is only evaluated.
    Raises InputError for a difference of 0 and a power outside of 0 … 1.
    """
    if difference == 0 or not np.isfinite(difference):
        raise InputError(f"difference is {difference}: name the smallest one that matters")
    if not 0 < wanted_power < 1:
        raise InputError(f"wanted_power is {wanted_power}: it must be between 0 and 1, such as 0.8")
    if photographs < MIN_PHOTOGRAPHS:
        raise InputError(f"photographs is {photographs}: an interval takes {MIN_PHOTOGRAPHS} at least")

    def found(by_photographs: int, by_seeds: int) -> bool:
        return power(difference, components, by_photographs, by_seeds, level=level) >= wanted_power

    seeds = _fewest(lambda number: found(photographs, number), MIN_SEEDS, MOST_SEEDS)
    if seeds is None:
        reached = power(difference, components, photographs, MOST_SEEDS, level=level)
        why = f"{MOST_SEEDS} seeds on {photographs} photographs find {difference:g} in {reached:.0%} of cases only."
        return RequiredDesign(None, None, reached, why)
    fewest = _fewest(lambda number: found(number, seeds), MIN_PHOTOGRAPHS, photographs)
    assert fewest is not None  # `photographs` do
    return RequiredDesign(fewest, seeds, power(difference, components, fewest, seeds, level=level))


def _fewest(is_enough: Callable[[int], bool], low: int, high: int) -> int | None:
    """The smallest number of low … high that is enough, where more is never less."""
    if not is_enough(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle + 1, high)
    return low
