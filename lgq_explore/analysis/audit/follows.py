"""Whether a metric follows the true distortion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from lgq_explore.errors import InputError

from .apart import CONFIDENCE

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's rank correlation, with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Judged:
    """Fits to one mixture. values: [fits, sets], by a metric. truth: [fits]. cluster: [fits], such as the method."""

    values: Floats
    truth: Floats
    cluster: NDArray[np.str_]

    @classmethod
    def of(cls, values: ArrayLike, truth: ArrayLike, cluster: ArrayLike) -> Judged:
        """From numbers and names. Raises InputError for other shapes."""
        judged = cls(np.asarray(values, dtype=np.float64), np.asarray(truth, dtype=np.float64), np.asarray(cluster))
        fits = judged.values.shape[:1]
        if judged.values.ndim != 2 or judged.truth.shape != fits or judged.cluster.shape != fits:
            raise InputError(
                f"values of shape {list(judged.values.shape)} of {judged.truth.size} fits: give [fits, sets]"
            )
        return judged


def rank_correlation(
    judged: Sequence[Judged], resamples: int = 499, generator: np.random.Generator | None = None
) -> RankCorrelation:
    """Spearman's rank correlation of a metric with the truth: within each mixture and set, then the mean.

    A metric that is the same for all fits has 0. The interval is the percentile bootstrap over clusters: runs of one
    method resemble each other, and other methods might have been taken. generator: seed 0 by default.

    Raises:
        InputError: nothing to judge.
    """
    if not judged:
        raise InputError("0 mixtures were judged: give at least one")
    generator = generator or np.random.default_rng(0)
    clusters = sorted({str(name) for each in judged for name in each.cluster})
    members = [{name: np.flatnonzero(each.cluster == name) for name in clusters} for each in judged]
    drawn = []
    for _ in range(resamples):
        names = generator.choice(clusters, len(clusters))
        chosen = [np.concatenate([of[name] for name in names]) for of in members]
        drawn.append(_mean([_correlation(each, rows) for each, rows in zip(judged, chosen, strict=True)]))
    low, high = np.nanquantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]) if drawn else (np.nan, np.nan)
    everything = _mean([_correlation(each, np.arange(len(each.truth))) for each in judged])
    return RankCorrelation(everything, float(low), float(high))


def _mean(correlations: Sequence[float]) -> float:
    return float(np.mean(correlations))


def _correlation(judged: Judged, rows: NDArray[np.int64]) -> float:
    """The mean over sets of the rank correlation of these fits; 0 where nothing varies."""
    if len(rows) < 2:
        return 0.0
    ranks, truth = rankdata(judged.values[rows], axis=0), rankdata(judged.truth[rows])
    ranks, truth = ranks - ranks.mean(0), truth - truth.mean()
    scale = np.sqrt((ranks**2).sum(0) * (truth**2).sum())
    products = truth @ ranks
    return float(np.divide(products, scale, out=np.zeros_like(products), where=scale > 0).mean())
