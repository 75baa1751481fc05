"""The panels that the table of runs opens, and which runs each of them takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lgq_explore.errors import InputError
from lgq_explore.runs.study import Study, study, study_of_codes

from ..geometry.explorer import OF_THE_OTHER, ON_THE_SAME_AXES, GeometryExplorer
from ..health.panel import HealthPanel
from ..panel import Panel
from ..pictures.code_inspector import CodeInspector
from ..pictures.patch_inspector import PatchInspector
from ..temperature.explorer import TemperatureExplorer
from ..training.monitor import TrainingMonitor
from ..usage.counting import counted
from ..usage.explorer import UsageExplorer
from .explorer import ComparisonExplorer


@dataclass(frozen=True)
class Opener:
    """A panel of runs.

    most: how many runs it takes; None for any number. study: makes what it looks at of a run's folder, which takes a
    while; None where it takes the runs themselves. keeps: pieces of its state that other runs don't change. follows:
    whether it is made again when other runs are ticked.
    """

    label: str
    make: Callable[..., Panel]
    most: int | None = None
    study: Callable[[Path], Study] | None = study
    keeps: tuple[str, ...] = ()
    follows: bool = True

    def objection(self, runs: int) -> str:
        """Why it can't be opened with so many runs; empty if it can."""
        if not runs:
            return "tick a run first"
        if self.most is not None and runs > self.most:
            return f"it takes {'one run' if self.most == 1 else f'at most {self.most} runs'}, and {runs} are ticked"
        return ""


def _counted(run: Path) -> Study:
    return counted(study_of_codes(run)).study


def _geometry(one: Study, other: Study | None = None, beside_as: str | None = None, **state: Any) -> GeometryExplorer:
    """What was shown beside is kept where it can be with so many runs, and another run is shown at first."""
    suits = beside_as in ON_THE_SAME_AXES or (other is not None and beside_as in OF_THE_OTHER)
    return GeometryExplorer(one, other, beside_as=beside_as if suits else None, **state)


OPENERS = {
    "UsageExplorer": Opener(
        "usage", UsageExplorer, study=_counted, keeps=("view", "hits", "batch_images", "window_tokens")
    ),
    "GeometryExplorer": Opener("geometry", _geometry, most=2, keeps=("method", "colour", "beside_as")),
    "CodeInspector": Opener("codes", CodeInspector, most=1, keeps=("view",)),
    "PatchInspector": Opener("patches", PatchInspector, most=1),
    "TemperatureExplorer": Opener("temperature", TemperatureExplorer, most=1),
    "ComparisonExplorer": Opener("comparison", ComparisonExplorer, study=None, keeps=("view", "order")),
    "HealthPanel": Opener("health", HealthPanel, study=None),
    "TrainingMonitor": Opener("training", lambda run: TrainingMonitor(run=run), most=1, study=None, follows=False),
}


def opener(panel: str) -> Opener:
    """The opener of a panel by its class's name. Raises InputError."""
    if panel not in OPENERS:
        raise InputError(f"panel is {panel!r}: choose one of {', '.join(OPENERS)}")
    return OPENERS[panel]
