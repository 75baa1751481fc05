"""An interval as columns of a frame."""

from __future__ import annotations

import math

from lgq_explore.statistics import Interval


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
