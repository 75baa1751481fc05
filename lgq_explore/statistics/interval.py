"""An estimate with its interval, and where there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

from lgq_explore.errors import InputError

from .crossed_variance import CrossedVariance

MIN_PHOTOGRAPHS = 8
MIN_SEEDS = 5
"""With fewer, an estimate has no interval: the variance of so few says too little."""


@dataclass(frozen=True)
class Interval:
    """An estimate and the interval that holds the true value in a share `level` of repetitions.

    low, high: None where there is no interval; `why` is then a sentence that says why, and empty otherwise.
    seeds: the fewest of all groups of runs. photographs: those that every run was measured on.
    p_value: two-sided, of the null value (0 of a difference, 1 of a ratio), by inversion: it is below 1 − level where
    the interval leaves out the null value. None without an interval, and of a mean.
    """

    estimate: float
    low: float | None
    high: float | None
    level: float
    seeds: int
    photographs: int
    why: str = ""
    p_value: float | None = None

    def mapped(self, change: Callable[[float], float]) -> Interval:
        """On another scale, by an increasing function."""
        low, high = (None if end is None else float(change(end)) for end in (self.low, self.high))
        return replace(self, estimate=float(change(self.estimate)), low=low, high=high)


@dataclass(frozen=True)
class Sample:
    """How many photographs were measured, by how many seeds of each group, and at which level the interval is wanted.

    Raises InputError for a level outside of 0 … 1 and for an empty sample.
    """

    photographs: int
    seeds: tuple[int, ...]
    level: float = 0.95

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise InputError(f"level is {self.level}: it must be between 0 and 1, such as 0.95")
        if self.photographs < 1 or not self.seeds or min(self.seeds) < 1:
            raise InputError(
                f"{self.photographs} photographs and {self.seeds} seeds: an estimate needs one of each at least"
            )

    @property
    def why(self) -> str:
        """Why so few photographs or seeds have no interval; or empty."""
        if self.photographs < MIN_PHOTOGRAPHS:
            return f"An interval takes {MIN_PHOTOGRAPHS} photographs at least: here are {self.photographs}."
        if min(self.seeds) < MIN_SEEDS:
            return f"An interval takes {MIN_SEEDS} seeds at least: here are {min(self.seeds)}."
        return ""

    def point(self, estimate: float) -> Interval:
        """The estimate without an interval."""
        return Interval(estimate, None, None, self.level, min(self.seeds), self.photographs, self.why)

    def t_interval(self, estimate: float, variance: CrossedVariance, null: float | None = None) -> Interval:
        """estimate ± t_ν √variance, t_ν the quantile of Student's distribution at (1 + level)/2."""
        error, degrees = variance.standard_error, variance.degrees_of_freedom
        half = error * float(stdtrit(degrees, (1 + self.level) / 2)) if error > 0 else 0.0
        p_value = None if null is None else _t_p_value(estimate - null, error, degrees)
        return replace(self.point(estimate), low=estimate - half, high=estimate + half, p_value=p_value)

    def percentile_interval(self, estimate: float, draws: NDArray[np.float64], null: float | None = None) -> Interval:
        """The quantiles (1 ± level)/2 of the resampled estimates, draws [R]."""
        low, high = np.quantile(draws, [(1 - self.level) / 2, (1 + self.level) / 2])
        p_value = None if null is None else _percentile_p_value(draws, null)
        return replace(self.point(estimate), low=float(low), high=float(high), p_value=p_value)


def require_values(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Finite numbers [seeds, photographs]. Raises InputError for others, by name."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or array.size == 0:
        raise InputError(f"{name} has the shape {array.shape}: give one number for each seed and photograph, [S, P]")
    if not np.isfinite(array).all():
        seed, photograph = np.argwhere(~np.isfinite(array))[0]
        raise InputError(
            f"{name} holds {array[seed, photograph]} at seed {seed}, photograph {photograph}: "
            "leave out photographs without a value, for every run"
        )
    return array


def require_weights(weights: ArrayLike | None, photographs: int) -> NDArray[np.float64]:
    """Weights of photographs [P], equal ones by default. Raises InputError for others than finite, positive ones."""
    if weights is None:
        return np.ones(photographs)
    array = np.asarray(weights, dtype=np.float64)
    if array.shape != (photographs,):
        raise InputError(f"weights have the shape {array.shape}: give one for each of {photographs} photographs")
    if not (np.isfinite(array).all() and (array >= 0).all() and array.any()):
        raise InputError("weights must be finite, at least 0 and not all 0: give such as the numbers of crops")
    return array


def require_truth(value: object, name: str) -> None:
    """Raise InputError unless the value is a truth value: a number or a list of seeds would be taken for one."""
    if not isinstance(value, bool | np.bool_):
        raise InputError(f"{name} is {value!r}: give True or False")


def _t_p_value(distance: float, standard_error: float, degrees_of_freedom: float) -> float:
    if standard_error == 0:
        return float(distance == 0)
    return 2 * float(stdtr(degrees_of_freedom, -abs(distance) / standard_error))


def _percentile_p_value(draws: NDArray[np.float64], null: float) -> float:
    """Never 0: the estimate itself counts as a draw on either side (Davison & Hinkley 1997, section 4.2)."""
    below, above = int(np.sum(draws <= null)), int(np.sum(draws >= null))
    return min(1.0, 2 * (1 + min(below, above)) / (1 + len(draws)))
