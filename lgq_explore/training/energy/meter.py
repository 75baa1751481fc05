"""Joules since training began, over all sessions, from counters that may begin anew."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

PROCESSORS, GPU = "processor_joules", "gpu_joules"

PARTS = {PROCESSORS: "the processors", GPU: "the GPU"}
"""Columns of the history, each with what it counts: joules since training began."""


@dataclass(frozen=True)
class EnergyCounter:
    """What the machine counts of a part of PARTS, of which there may be several.

    read: joules since some time in the past; raises OSError or ValueError where it can't be read.
    begins_anew_at: joules at which it goes on from 0; infinite if it does not.
    """

    part: str
    read: Callable[[], float]
    begins_anew_at: float = math.inf


class EnergyMeter:
    """Adds up what counters count.

    A part is known where each of its counters could be read in every session. What can't be known is left out, since a
    sum without a session, or without one of two processors, would be too small.
    """

    def __init__(self, counters: Sequence[EnergyCounter] = ()) -> None:
        self._counters = list(counters)
        self._last: list[float] | None = None
        self._joules = {counter.part: 0.0 for counter in counters}

    @property
    def joules(self) -> dict[str, float]:
        """Joules by part, until the last reading; parts that are not known are left out."""
        return dict(self._joules)

    def continue_from(self, joules: Mapping[str, float]) -> None:
        """Go on from what earlier sessions have counted."""
        self._joules = {part: joules[part] for part in self._joules if part in joules}

    def start(self) -> None:
        """What is counted from here on is added up."""
        self._last = [self._reading(counter) for counter in self._counters]

    def read(self) -> None:
        """Add what was counted since the last reading. A counter may begin anew once between two readings."""
        if self._last is None:  # not started
            return
        for place, counter in enumerate(self._counters):
            before, now = self._last[place], self._reading(counter)
            spent = now - before if not now < before else now + counter.begins_anew_at - before
            if not 0 <= spent < math.inf:  # NaN, too
                self._joules.pop(counter.part, None)
            elif counter.part in self._joules:
                self._joules[counter.part] += spent
            self._last[place] = now

    @staticmethod
    def _reading(counter: EnergyCounter) -> float:
        try:
            return counter.read()
        except (OSError, ValueError):
            return math.nan
