"""The panels that the table of runs opens, and which runs each of them takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lgq_explore.errors import InputError

from ..geometry.explorer import GeometryExplorer
from ..health.panel import HealthPanel
from ..panel import Panel
from ..pictures.code_inspector import CodeInspector
from ..pictures.patch_inspector import PatchInspector
from ..temperature.explorer import TemperatureExplorer
from ..training.monitor import TrainingMonitor
from ..usage.explorer import UsageExplorer


@dataclass(frozen=True)
class Opener:
    """A panel of runs. most: how many it takes; None for any number. studies: whether it looks at their studies."""

    label: str
    make: Callable[..., Panel]
    most: int | None = None
    studies: bool = True

    def objection(self, runs: int) -> str:
        """Why it can't be opened with so many runs; empty if it can."""
        if not runs:
            return "tick a run first"
        if self.most is not None and runs > self.most:
            return f"it takes {'one run' if self.most == 1 else f'at most {self.most} runs'}, and {runs} are ticked"
        return ""


OPENERS = {
    "UsageExplorer": Opener("usage", UsageExplorer),
    "GeometryExplorer": Opener("geometry", GeometryExplorer, most=2),
    "CodeInspector": Opener("codes", CodeInspector, most=1),
    "PatchInspector": Opener("patches", PatchInspector, most=1),
    "TemperatureExplorer": Opener("temperature", TemperatureExplorer, most=1),
    "HealthPanel": Opener("health", HealthPanel, studies=False),
    "TrainingMonitor": Opener("training", lambda run: TrainingMonitor(run=run), most=1, studies=False),
}


def opener(panel: str) -> Opener:
    """The opener of a panel by its class's name. Raises InputError."""
    if panel not in OPENERS:
        raise InputError(f"panel is {panel!r}: choose one of {', '.join(OPENERS)}")
    return OPENERS[panel]
