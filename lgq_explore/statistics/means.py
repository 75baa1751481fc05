"""Intervals of means, of differences of means and of their ratios, over seeds and photographs.

Runs are measured on the same photographs, crops of which are averaged beforehand: crops of one photograph are not
independent. Seeds and photographs are both drawn, and the interval speaks of other seeds and other photographs.

method: "components" is estimate ± t_ν √variance by `crossed_variance`. "percentile" is the interval between quantiles
of the crossed bootstrap (`resamples`, drawn by `seed`; the former needs neither).

Measured coverage at 95 %, for 5 and 10 seeds and 8 to 240 photographs (`lgq-explore bench coverage`): "components"
holds the true value in 93.6 to 97.1 % of cases where seeds or photographs decide, and in up to 98.6 % where neither
matters. "percentile" holds it in 88 to 93 % where seeds decide, since resampled seeds vary less than seeds do, and in
up to 100 % where the rest does, which it counts three times. With 8 photographs of strongly skewed effects (skewness 2)
"components" holds it in 91.7 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lgq_explore.errors import InputError

from .bootstrap import resampled_means
from .crossed_variance import crossed_variance
from .interval import Interval, Sample, require_truth, require_values, require_weights

Method = Literal["components", "percentile"]


def mean_interval(
    values: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    level: float = 0.95,
    method: Method = "components",
    resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """The mean over seeds and photographs, Σ_ij w_j y_ij / (S Σ_j w_j).

    values: [S, P]. weights: of photographs [P], such as their numbers of crops; by default equal.
    Raises InputError for other shapes and for numbers that are not finite.
    """
    groups = _Groups.of([values], weights, ["values"])
    sample = groups.sample(level)
    (mean,) = groups.means()
    if sample.why:
        return sample.point(mean)
    if _require_method(method) == "percentile":
        (draws,) = groups.resampled(resamples, seed)
        return sample.percentile_interval(mean, draws)
    return sample.t_interval(mean, crossed_variance(groups.influences()))


def difference_interval(
    a: ArrayLike,
    b: ArrayLike,
    *,
    paired_seeds: bool,
    weights: ArrayLike | None = None,
    level: float = 0.95,
    null: float = 0.0,
    method: Method = "components",
    resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """The mean of a minus the mean of b, on the same photographs.

    a, b: [S_a, P] and [S_b, P], photograph by photograph the same. paired_seeds: row i of both is a pair, such as runs
    with one order of the data and one start; otherwise all runs are independent. null: of the p-value.
    Raises InputError as `mean_interval`, and for pairs of unequal numbers of seeds.
    """
    groups = _Groups.of([a, b], weights, ["a", "b"], paired=paired_seeds)
    sample = groups.sample(level)
    mean_a, mean_b = groups.means()
    difference = mean_a - mean_b
    if sample.why:
        return sample.point(difference)
    if _require_method(method) == "percentile":
        draws_a, draws_b = groups.resampled(resamples, seed)
        return sample.percentile_interval(difference, draws_a - draws_b, null)
    of_a, of_b = groups.influences()
    return sample.t_interval(difference, crossed_variance(groups.joined(of_a, -of_b)), null)


def ratio_interval(
    a: ArrayLike,
    b: ArrayLike,
    *,
    paired_seeds: bool,
    weights: ArrayLike | None = None,
    level: float = 0.95,
    null: float = 1.0,
    method: Method = "components",
    resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """The mean of a over the mean of b, by the interval of its logarithm.

    Arguments and errors are those of `difference_interval`. The logarithm is linearised for its variance:
    log(ā/b̄) varies as ā/E ā − b̄/E b̄. Raises InputError for means that are not above 0 too.
    """
    groups = _Groups.of([a, b], weights, ["a", "b"], paired=paired_seeds)
    sample = groups.sample(level)
    mean_a, mean_b = groups.means()
    if min(mean_a, mean_b) <= 0:
        raise InputError(f"the means are {mean_a:g} and {mean_b:g}: a ratio needs both above 0; take a difference")
    if null <= 0:
        raise InputError(f"null is {null}: a ratio is above 0")
    log_ratio, log_null = float(np.log(mean_a / mean_b)), float(np.log(null))
    if sample.why:
        return sample.point(log_ratio).mapped(np.exp)
    if _require_method(method) == "percentile":
        draws_a, draws_b = groups.resampled(resamples, seed)
        return sample.percentile_interval(log_ratio, np.log(draws_a / draws_b), log_null).mapped(np.exp)
    of_a, of_b = groups.influences()
    variance = crossed_variance(groups.joined(of_a / mean_a, -of_b / mean_b))
    return sample.t_interval(log_ratio, variance, log_null).mapped(np.exp)


@dataclass(frozen=True, eq=False)
class _Groups:
    """Values [S, P] of one or two methods on the same photographs, weights of these, and whether seeds are pairs."""

    values: list[NDArray[np.float64]]
    weights: NDArray[np.float64]
    paired: bool

    @classmethod
    def of(cls, given: list[ArrayLike], weights: ArrayLike | None, names: list[str], paired: bool = False) -> _Groups:
        require_truth(paired, "paired_seeds")
        values = [require_values(each, name) for each, name in zip(given, names, strict=True)]
        shapes = [each.shape for each in values]
        if len({photographs for _, photographs in shapes}) > 1:
            raise InputError(
                f"a and b have the shapes {shapes[0]} and {shapes[1]}: measure the same photographs in both"
            )
        if paired and len({seeds for seeds, _ in shapes}) > 1:
            raise InputError(f"a and b have {shapes[0][0]} and {shapes[1][0]} seeds: pairs need as many of each")
        of_photographs = require_weights(weights, shapes[0][1])
        kept = of_photographs > 0
        return cls([each[:, kept] for each in values], of_photographs[kept], paired)

    def sample(self, level: float) -> Sample:
        return Sample(len(self.weights), tuple(len(each) for each in self.values), level)

    def means(self) -> list[float]:
        return [float(np.average(each.mean(axis=0), weights=self.weights)) for each in self.values]

    def influences(self) -> list[NDArray[np.float64]]:
        """What each value adds to the deviation of its group's mean, to first order; the mean of each is 0."""
        relative = self.weights / self.weights.mean()
        return [relative * (each - mean) for each, mean in zip(self.values, self.means(), strict=True)]

    def joined(self, of_a: NDArray[np.float64], of_b: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """Pairs of seeds are one group."""
        return [of_a + of_b] if self.paired else [of_a, of_b]

    def resampled(self, resamples: int, seed: int) -> list[NDArray[np.float64]]:
        """The resampled means of each method, [R] each."""
        if not self.paired:
            return resampled_means(self.values, self.weights, resamples, seed)
        # As one group of both would be: the same seeds are drawn for either.
        return [resampled_means([each], self.weights, resamples, seed)[0] for each in self.values]


def _require_method(method: str) -> str:
    if method not in ("components", "percentile"):
        raise InputError(f"method is {method!r}: it must be components or percentile")
    return method
