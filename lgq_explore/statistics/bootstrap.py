"""The crossed bootstrap: seeds and photographs are resampled independently of each other, each with replacement.

A resample is a number of times that each seed and each photograph is in it, so that the resampled means of all values
y [S, P] are one matrix product: Σ_ij u_i y_ij v_j / (Σ u Σ v), with multinomial counts u of seeds and v of photographs.

Owen, The pigeonhole bootstrap, Annals of Applied Statistics 1, 2007 (arXiv 0712.1111); Efron & Tibshirani, An
Introduction to the Bootstrap, 1993.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from lgq_explore.errors import InputError

from .crossed_variance import CrossedVariance
from .interval import Interval, Sample

Statistic = Callable[..., float]
"""Indices of photographs [P], and of each group of seeds [S] → a number."""


def resampled_means(
    groups: Sequence[NDArray[np.float64]], weights: NDArray[np.float64], resamples: int, seed: int
) -> list[NDArray[np.float64]]:
    """The mean of each group in every resample, [R] for each: the same photographs in all, the seeds independent.

    groups: values [S, P]. weights: of photographs [P].
    """
    generator = _generator(resamples, seed)
    photographs = resampled_counts(generator, len(weights), resamples) * weights
    totals = photographs.sum(axis=1)
    means = []
    for group in groups:
        seeds = resampled_counts(generator, len(group), resamples)
        sums = np.einsum("rs,rs->r", seeds, photographs @ group.T)
        means.append(sums / (len(group) * totals))
    return means


def statistic_interval(
    statistic: Statistic,
    samples: Sample,
    *,
    null: float | None = None,
    resamples: int = 2_000,
    seed: int = 0,
) -> Interval:
    """The interval of any smooth statistic of photographs and seeds: estimate ± t_ν √variance.

    statistic: takes indices of photographs [P] and of each group of seeds [S], with repetitions, and returns a number;
    a photograph comes with all of its crops. samples: how many of each there are, and the level.
    The mean squares of `crossed_variance` are estimated by resampling photographs alone, the seeds of one group alone,
    and both, with `resamples` each; n/(n − 1) makes up for what resampling n of them lacks. Of a mean they are those of
    `mean_interval`, but for the noise of resampling (a relative error of √(1/(2R)) in the width).
    A statistic that is biased, such as the Fréchet distance, is better served by the pseudo-values of `jackknife`:
    resampling adds the bias of repeated photographs. Raises InputError for fewer than 2 resamples.
    """
    photographs, seeds = np.arange(samples.photographs), [np.arange(number) for number in samples.seeds]
    estimate = float(statistic(photographs, *seeds))
    if samples.why:
        return samples.point(estimate)
    generator = _generator(resamples, seed)

    def variance(of_photographs: bool, of_group: int | None) -> float:
        def draw() -> float:
            drawn = _drawn(generator, photographs) if of_photographs else photographs
            return statistic(
                drawn, *(_drawn(generator, all_) if group == of_group else all_ for group, all_ in enumerate(seeds))
            )

        return float(np.var([draw() for _ in range(resamples)], ddof=1))

    groups = range(len(seeds))
    by_photographs = variance(True, None)
    by_seeds = [variance(False, group) for group in groups]
    by_both = [variance(True, group) for group in groups]
    more_photographs = samples.photographs / (samples.photographs - 1)
    more_seeds = [number / (number - 1) for number in samples.seeds]
    found = CrossedVariance(
        photographs=by_photographs * more_photographs,
        seeds=tuple(by_seeds[group] * more_seeds[group] for group in groups),
        residuals=tuple(
            max(0.0, by_both[group] - by_photographs - by_seeds[group]) * more_photographs * more_seeds[group]
            for group in groups
        ),
        number_of_photographs=samples.photographs,
        number_of_seeds=samples.seeds,
    )
    return samples.t_interval(estimate, found, null)


def _generator(resamples: int, seed: int) -> np.random.Generator:
    if resamples < 2:
        raise InputError(f"resamples is {resamples}: it must be at least 2, such as 10000")
    return np.random.default_rng(seed)


def resampled_counts(generator: np.random.Generator, number: int, resamples: int) -> NDArray[np.float64]:
    """How often each of `number` is in each of R = `resamples` resamples of as many, [R, number]."""
    return generator.multinomial(number, np.full(number, 1 / number), size=resamples).astype(np.float64)


def _drawn(generator: np.random.Generator, indices: NDArray[np.int64]) -> NDArray[np.int64]:
    return generator.choice(indices, size=len(indices))
