"""Controls that another thread may use while training runs: a held temperature, and a stop."""

from __future__ import annotations

import math
import threading
from bisect import bisect_right
from dataclasses import dataclass

import pandas as pd

from lgq_explore.errors import InputError
from lgq_explore.quantizers.temperature import require_temperature


@dataclass(frozen=True)
class Reading:
    """The controls at one step: a temperature to hold (None: the schedule's), and whether to stop before the step."""

    held_temperature: float | None
    stop: bool


class Controls:
    """A held temperature and a stop request, thread-safe; the trainer reads them once per step."""

    def __init__(self, temperature: float | None = None) -> None:
        # Re-entrant: a signal handler may call `stop` in the trainer's own thread, in the middle of `read`.
        self._lock = threading.RLock()
        self._stop = False
        self.temperature = temperature

    @property
    def temperature(self) -> float | None:
        """The temperature τ > 0 to hold, or None to follow the schedule."""
        with self._lock:
            return self._temperature

    @temperature.setter
    def temperature(self, value: float | None) -> None:
        if value is not None:
            require_temperature(value)
        with self._lock:
            self._temperature = value

    def stop(self) -> None:
        """Ask the trainer to finish its step, save, and return."""
        with self._lock:
            self._stop = True

    @property
    def stop_asked_for(self) -> bool:
        """Whether `stop` was called; for long work before the first step."""
        with self._lock:
            return self._stop

    def clear_stop(self) -> None:
        """Withdraw the stop request, so that the same controls can steer the resumed run."""
        with self._lock:
            self._stop = False

    def read(self, step: int) -> Reading:
        """The controls for `step`, counted from 0. Only the trainer calls this."""
        with self._lock:
            return Reading(self._temperature, self._stop)


class ReplayedControls(Controls):
    """Replays the held temperatures of a run from its history, step by step.

    The trainer logs a row at every step at which the held temperature changed, so the rows determine all of them.
    Raises InputError for a history without that column: its method has no temperature, or nothing was logged.
    """

    def __init__(self, history: pd.DataFrame) -> None:
        super().__init__()
        if "temperature_override" not in history:
            raise InputError(
                "this history has no temperature_override: give that of a run whose method has a temperature"
            )
        self._steps = history["step"].tolist()
        self._temperatures = [None if math.isnan(value) else value for value in history["temperature_override"]]

    def read(self, step: int) -> Reading:
        # Row s describes step s − 1 counted from 0; before the first row no temperature was held.
        row = bisect_right(self._steps, step + 1) - 1
        return Reading(self._temperatures[row] if row >= 0 else None, super().read(step).stop)
