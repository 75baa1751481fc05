"""What another thread may change while training runs."""

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
    """What the trainer was told for one step: a temperature (None: the schedule's), and whether to stop before it."""

    held_temperature: float | None
    stop: bool


class Controls:
    """A temperature taken by hand, and a wish to stop; locked, and read by the trainer once a step."""

    def __init__(self, temperature: float | None = None) -> None:
        # Re-entrant: a signal handler may call `stop` in the trainer's own thread, in the midst of `read`.
        self._lock = threading.RLock()
        self._stop = False
        self.temperature = temperature

    @property
    def temperature(self) -> float | None:
        """The temperature τ > 0 to hold, or None where the schedule decides."""
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
        """Whether `stop` was called: for what takes long before the first step."""
        with self._lock:
            return self._stop

    def clear_stop(self) -> None:
        """Take the wish to stop back, so that the same controls steer the run when it is resumed."""
        with self._lock:
            self._stop = False

    def read(self, step: int) -> Reading:
        """What holds for `step`, counted from 0. Only the trainer calls this."""
        with self._lock:
            return Reading(self._temperature, self._stop)


class ReplayedControls(Controls):
    """The temperatures of a run that was steered by hand, step for step, from its history.

    The trainer logs a row at every step whose temperature was taken or given back, so the rows tell all of them.
    Raises InputError for a history without such a column: its method has no temperature, or nothing was logged.
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
        # Row s describes step s − 1 counted from 0; before the first row nothing had been taken by hand.
        row = bisect_right(self._steps, step + 1) - 1
        return Reading(self._temperatures[row] if row >= 0 else None, super().read(step).stop)
