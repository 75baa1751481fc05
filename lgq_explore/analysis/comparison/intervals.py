"""Intervals as columns of frames."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lgq_explore.statistics import Interval, mean_interval


def interval_columns(found: Interval) -> dict[str, object]:
    """The columns `frames.comparison.INTERVAL`."""
    return {
        "low": math.nan if found.low is None else found.low,
        "high": math.nan if found.high is None else found.high,
        "level": found.level,
        "seeds": found.seeds,
        "photographs": found.photographs,
        "why": found.why,
    }


def mean_columns(values: NDArray[np.float64], weights: NDArray[np.float64]) -> dict[str, object]:
    """The mean of values [S, P] of seeds and photographs, its deviation over seeds, and `interval_columns`."""
    found = mean_interval(values, weights=weights)
    of_seeds = np.average(values, axis=1, weights=weights)
    return {"estimate": found.estimate, "spread": spread(of_seeds)} | interval_columns(found)


def no_mean_columns(seeds: int, photographs: int, why: str) -> dict[str, object]:
    """The columns of `mean_columns` where there is no mean."""
    nothing = dict.fromkeys(("estimate", "spread", "low", "high", "level"), math.nan)
    return nothing | {"seeds": seeds, "photographs": photographs, "why": why}


def spread(of_seeds: NDArray[np.float64]) -> float:
    """The standard deviation of values of seeds [S]; NaN for one."""
    return float(np.std(of_seeds, ddof=1)) if len(of_seeds) > 1 else math.nan
