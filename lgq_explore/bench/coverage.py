"""How often intervals over seeds and photographs hold the true value, on drawn values whose true value is known.

Effects of seeds and of photographs and the rest are drawn with variances that make up given shares of the variance of
the mean, so that every size of a comparison is tried where seeds decide, where photographs do, and between. A case is
the share of repetitions whose interval holds 0.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from lgq_explore.errors import InputError
from lgq_explore.statistics import Interval, difference_interval, mean_interval

from .markdown import table
from .results import today

SEEDS, PHOTOGRAPHS = (5, 10), (8, 40, 240)
SHARES = {
    "seeds": (0.9, 0.05, 0.05),
    "both": (0.45, 0.45, 0.1),
    "photographs": (0.05, 0.9, 0.05),
    "all three": (1 / 3, 1 / 3, 1 / 3),
    "the rest": (0.1, 0.1, 0.8),
    "the rest alone": (0.0, 0.0, 1.0),
}
"""What the variance of the mean is made of: shares of seeds, of photographs and of the rest."""
REPETITIONS, RESAMPLES = 2_000, 1_000
PERCENTILE_REPETITIONS = 250
"""Fewer, since each draws resamples."""


@dataclass(frozen=True)
class RandomEffects:
    """y_ij = s_i + p_j + e_ij with these standard deviations; the true mean is 0.

    skewed: effects of photographs are exponential less 1, of skewness 2, rather than normal.
    """

    seeds: float
    photographs: float
    residual: float
    skewed: bool = False

    @classmethod
    def of_shares(cls, shares: Sequence[float], seeds: int, photographs: int, skewed: bool = False) -> RandomEffects:
        """With these shares of a variance of the mean of 1."""
        of_seeds, of_photographs, of_rest = shares
        return cls(
            seeds=math.sqrt(of_seeds * seeds),
            photographs=math.sqrt(of_photographs * photographs),
            residual=math.sqrt(of_rest * seeds * photographs),
            skewed=skewed,
        )

    def drawn(self, generator: np.random.Generator, seeds: int, photographs: int) -> NDArray[np.float64]:
        """Values [S, P]."""
        shape = (1, photographs)
        of_photographs = generator.exponential(size=shape) - 1 if self.skewed else generator.normal(size=shape)
        rest = self.residual * generator.normal(size=(seeds, photographs))
        return self.seeds * generator.normal(size=(seeds, 1)) + self.photographs * of_photographs + rest


Drawing = Callable[[RandomEffects, np.random.Generator, int, int], Interval]


def _mean(effects: RandomEffects, generator: np.random.Generator, seeds: int, photographs: int) -> Interval:
    return mean_interval(effects.drawn(generator, seeds, photographs))


def _difference(effects: RandomEffects, generator: np.random.Generator, seeds: int, photographs: int) -> Interval:
    a, b = (effects.drawn(generator, seeds, photographs) for _ in range(2))
    return difference_interval(a, b, paired_seeds=False)


def _percentiles(effects: RandomEffects, generator: np.random.Generator, seeds: int, photographs: int) -> Interval:
    values = effects.drawn(generator, seeds, photographs)
    drawn_by = int(generator.integers(2**31))
    return mean_interval(values, method="percentile", resamples=RESAMPLES, seed=drawn_by)


@dataclass(frozen=True)
class IntervalKind:
    """An interval of drawn values, whether their photographs are skewed, and what share of the repetitions it gets."""

    draw: Drawing
    skewed: bool = False
    share: float = 1.0


INTERVALS = {
    "mean": IntervalKind(_mean),
    "difference, independent seeds": IntervalKind(_difference),
    "mean, skewed photographs": IntervalKind(_mean, skewed=True),
    "mean, percentiles": IntervalKind(_percentiles, share=PERCENTILE_REPETITIONS / REPETITIONS),
}


def measure_coverage(
    repetitions: int = REPETITIONS, seeds: Sequence[int] = SEEDS, photographs: Sequence[int] = PHOTOGRAPHS
) -> dict[str, Any]:
    """Every interval of INTERVALS at every size and every row of SHARES: a JSON object, one result a case.

    Raises InputError for fewer than 100 repetitions.
    """
    if repetitions < 100:
        raise InputError(f"repetitions is {repetitions}: give at least 100")
    return {
        "benchmark": "coverage",
        "date": today(),
        "device": "any: drawn numbers",
        "versions": {"numpy": np.__version__, "scipy": scipy.__version__},
        "protocol": {"level": 0.95, "repetitions": repetitions, "resamples": RESAMPLES, "shares": SHARES},
        "results": list(_results(repetitions, seeds, photographs)),
    }


def _results(repetitions: int, seeds: Sequence[int], photographs: Sequence[int]) -> Iterator[dict[str, Any]]:
    cases = itertools.product(INTERVALS, SHARES, seeds, photographs)
    for number, (interval, shares, of_seeds, of_photographs) in enumerate(cases):
        kind = INTERVALS[interval]
        effects = RandomEffects.of_shares(SHARES[shares], of_seeds, of_photographs, kind.skewed)
        times = max(100, round(repetitions * kind.share))
        generator = np.random.default_rng(number)
        drawn = [kind.draw(effects, generator, of_seeds, of_photographs) for _ in range(times)]
        held = float(np.mean([holds(each, 0.0) for each in drawn]))
        yield {
            "interval": interval,
            "shares": shares,
            "seeds": of_seeds,
            "photographs": of_photographs,
            "repetitions": times,
            "coverage": held,
            "standard_error": float(np.sqrt(held * (1 - held) / times)),
        }


def holds(interval: Interval, truth: float) -> bool:
    """Whether the truth is between the ends of an interval."""
    return interval.low is not None and interval.high is not None and interval.low <= truth <= interval.high


def markdown_table(measured: dict[str, Any]) -> str:
    """A row for each interval and what varies: the lowest and the highest coverage over all sizes, in percent."""
    rows = []
    for interval, shares in itertools.product(INTERVALS, SHARES):
        found = [
            100 * each["coverage"]
            for each in measured["results"]
            if (each["interval"], each["shares"]) == (interval, shares)
        ]
        if found:
            rows.append([interval, shares, f"{min(found):.1f}", f"{max(found):.1f}"])
    header = ["interval at 95 %", "what varies", "lowest coverage, %", "highest coverage, %"]
    return table(header, rows, left=2) + "\n\n" + _caption(measured)


def _caption(measured: dict[str, Any]) -> str:
    sizes = [sorted({each[key] for each in measured["results"]}) for key in ("seeds", "photographs")]
    seeds, photographs = (", ".join(map(str, each)) for each in sizes)
    worst = 100 * max(each["standard_error"] for each in measured["results"])
    return (
        f"Over {seeds} seeds and {photographs} photographs. {measured['protocol']['repetitions']:,} repetitions each, "
        f"fewer for percentiles; the standard error of a coverage is {worst:.1f} points or less. {measured['date']}."
    )
