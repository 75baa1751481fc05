"""The jackknife over photographs, for statistics that are not means, such as the Fréchet distance.

With θ of all P photographs, θ_(−j) without photograph j, and θ̄ the mean of these,

    bias = (P − 1)(θ̄ − θ)        standard error² = (P − 1)/P Σ_j (θ_(−j) − θ̄)²
    pseudo-values φ_j = P θ − (P − 1) θ_(−j),  whose mean is θ − bias

Quenouille, Biometrika 43, 1956; Tukey 1958; Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 11.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lgq_explore.errors import InputError


@dataclass(frozen=True, eq=False)
class Jackknife:
    """Of one run: the statistic, and what leaving out each photograph says of it.

    estimate: of all photographs. corrected: estimate − bias; bias of order 1/P is gone.
    pseudo_values: [P]. Stacked over the seeds of a method, [S, P], they go into `mean_interval`, `difference_interval`
    and `ratio_interval`, which then compare the corrected statistic over seeds and photographs.
    """

    estimate: float
    bias: float
    standard_error: float
    pseudo_values: NDArray[np.float64]

    @property
    def corrected(self) -> float:
        return self.estimate - self.bias


def jackknife(statistic: Callable[[NDArray[np.int64]], float], photographs: int) -> Jackknife:
    """Leave out one photograph after the other, with all of its crops.

    statistic: takes indices of photographs [P] or [P − 1] and returns a number; it is called photographs + 1 times.
    Raises InputError for fewer than 2 photographs.
    """
    if photographs < 2:
        raise InputError(f"photographs is {photographs}: leaving one out takes 2 at least")
    everything = np.arange(photographs)
    without = [statistic(np.delete(everything, photograph)) for photograph in everything]
    return jackknife_of(float(statistic(everything)), np.array(without, dtype=np.float64))


def jackknife_of(estimate: float, without: NDArray[np.float64]) -> Jackknife:
    """From the statistic of all photographs and those without each of them, without [P]."""
    others = len(without) - 1
    mean = float(without.mean())
    return Jackknife(
        estimate=estimate,
        bias=others * (mean - estimate),
        standard_error=float(np.sqrt(others * np.mean((without - mean) ** 2))),
        pseudo_values=(others + 1) * estimate - others * without,
    )
