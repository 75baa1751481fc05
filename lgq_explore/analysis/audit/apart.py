"""Whether a metric tells two methods apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lgq_explore.errors import InputError
from lgq_explore.statistics.bootstrap import resampled_counts

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Separation:
    """auc: the chance that a run of the first method has the larger value than one of the second, on the same set.

    low, high: its 95 % interval, NaN for a single seed. d_prime: the difference of the means over the standard
    deviation over seeds on one set; NaN for a single seed, ±∞ without any.
    """

    auc: float
    low: float
    high: float
    d_prime: float


def separation(
    first: ArrayLike, second: ArrayLike, resamples: int = 999, generator: np.random.Generator | None = None
) -> Separation:
    """The separation of two methods by a metric.

        AUC = mean over sets and pairs of seeds of [x > y] + ½ [x = y]     (Mann & Whitney 1947, within sets)
        d'  = (mean x − mean y) / (½ (s_x² + s_y²))^½                       s²: over seeds, mean over sets

    first, second: values [seeds, sets], of the same sets; the numbers of seeds may differ. The interval is the
    percentile bootstrap over seeds of either and sets, crossed (Owen 2007). Where every pair has the same winner, so
    has every resample, and the interval has no width: by chance alone S runs of each are so ordered in 2 of C(2S, S)
    cases. generator: of the resamples, seed 0 by default.

    Raises:
        InputError: values of other sets, or none.
    """
    x, y = (np.asarray(values, dtype=np.float64) for values in (first, second))
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or 0 in (x.size, y.size):
        raise InputError(f"values of shapes {list(x.shape)} and {list(y.shape)}: give [seeds, sets] of the same sets")
    wins = (x[:, None] > y[None]) + 0.5 * (x[:, None] == y[None])
    low, high = _interval(wins, resamples, generator or np.random.default_rng(0)) if min(len(x), len(y)) > 1 else _NONE
    return Separation(float(wins.mean()), low, high, _d_prime(x, y))


_NONE = (math.nan, math.nan)


def _interval(
    wins: np.ndarray[tuple[int, ...], np.dtype[np.float64]], resamples: int, generator: np.random.Generator
) -> tuple[float, float]:
    shares = [resampled_counts(generator, size, resamples) / size for size in wins.shape]
    drawn = np.einsum("ri,rj,rp,ijp->r", *shares, wins, optimize=True)
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return round(float(low), 12), round(float(high), 12)  # shares of seeds sum to 1 but for rounding


def _d_prime(
    x: np.ndarray[tuple[int, ...], np.dtype[np.float64]], y: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
) -> float:
    if min(len(x), len(y)) < 2:
        return math.nan
    difference = float(x.mean() - y.mean())
    spread = math.sqrt((x.var(0, ddof=1).mean() + y.var(0, ddof=1).mean()) / 2)
    if spread == 0:
        return math.copysign(math.inf, difference) if difference else 0.0
    return difference / spread
