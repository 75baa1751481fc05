"""Temperatures to be marked on the axis of a sweep."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lgq_explore.frames.temperature import CRITICAL, GAP_UNDER_1_PERCENT, MARKS, TRAINING_BEGAN, TRAINING_ENDED

from .probe import TemperatureProbe

NEGLIGIBLE_GAP = 0.01
"""Soft–hard gap, relative to the tokens' spread, below which soft and hard count as the same."""


def temperature_of_gap(sweep: pd.DataFrame, relative_gap: float = NEGLIGIBLE_GAP) -> float | None:
    """The highest temperature up to which the relative gap stays under `relative_gap`, between the sweep's on log axes.

    None where even the lowest temperature of the sweep has a larger gap; its highest where all have a smaller one.
    """
    temperatures, gaps = sweep["temperature"].to_numpy(), sweep["relative_gap"].to_numpy()
    over = np.flatnonzero(gaps >= relative_gap)
    if not len(over):
        return float(temperatures[-1])
    if over[0] == 0:
        return None
    below, above = over[0] - 1, over[0]
    smallest = np.finfo(float).tiny
    rise = np.log(gaps[above]) - np.log(max(gaps[below], smallest))
    share = (np.log(relative_gap) - np.log(max(gaps[below], smallest))) / rise
    return float(temperatures[below] ** (1 - share) * temperatures[above] ** share)


def temperature_marks(
    probe: TemperatureProbe, sweep: pd.DataFrame, history: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Temperatures to be marked on the axis: `frames.temperature.MARKS`. A mark that does not exist is left out.

    history: of the run, for the temperatures that training began and ended with.
    """
    marks: dict[str, float | None] = {}
    if history is not None and "temperature" in history and history["temperature"].notna().any():
        trained = history["temperature"].dropna()
        marks |= {TRAINING_BEGAN: float(trained.iloc[0]), TRAINING_ENDED: float(trained.iloc[-1])}
    marks[GAP_UNDER_1_PERCENT] = temperature_of_gap(sweep)
    marks[CRITICAL] = probe.critical_temperature if len(probe) > 1 else None
    # Of equal tokens the critical temperature is 0, which no axis of temperatures has.
    given = {name: temperature for name, temperature in marks.items() if temperature}
    return MARKS.frame({"mark": list(given), "temperature": list(given.values())})
