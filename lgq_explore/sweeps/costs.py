"""What cells cost, from the first steps and a small evaluation of each method and codebook size."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from lgq_explore.errors import InputError
from lgq_explore.files import whole_file
from lgq_explore.progress import Progress
from lgq_explore.training.machine import processor_name

from .cells import Cell
from .plan import Plan
from .processes import Workers


@dataclass(frozen=True)
class CellCost:
    """What was measured of a method with a codebook size, in seconds by the clock.

    startup: until the process of a cell has loaded what it needs. start: of training, until its second step, such as a
    start of codes from data. step: median of a step. evaluation: by the kind of the cell, from that of a few crops.
    megabytes: most memory that training took, in units of 10⁶ bytes; None if the system does not report it.
    """

    startup: float
    start: float
    step: float
    evaluation: Mapping[str, float]
    megabytes: float | None

    def training(self, steps: int) -> float:
        """The seconds of a whole training of so many steps."""
        return self.start + self.step * steps

    def cell(self, kind: str, steps: int) -> float:
        """The seconds of a whole cell."""
        return self.startup + self.training(steps) + self.evaluation[kind]


def measured_costs(plan: Plan, kinds: Mapping[str, list[Cell]], workers: Workers, keep: bool) -> dict[str, CellCost]:
    """The cost of some kinds of cells, by their names, measured in a process of its own with a worker's threads.

    kinds: cells of one method and codebook size each, one that is a trial and one that is not, or one of them. Costs
    that the folder has of an equal machine are taken from there. keep: whether new ones are written to it.
    Raises InputError, which begins with the name, for a kind that can't make these steps.
    """
    evaluation = json.dumps(asdict(plan.sweep.evaluation))
    machine = f"{processor_name()}, {workers.devices[0]}, {workers.threads} threads, {evaluation}"
    known = _kept(plan).get(machine, {})
    names = {kind: f"{plan.likely_recipe(cells[-1]).recipe_hash} {len(cells)}" for kind, cells in kinds.items()}
    costs = {kind: CellCost(**known[name]) for kind, name in names.items() if name in known}
    missing = {kind: cells for kind, cells in kinds.items() if kind not in costs}
    with Progress("measuring steps", len(missing), "recipes", shown=len(missing) > 1) as bar:
        for kind, cost in _in_own_process(plan, missing, workers):
            costs[kind] = cost
            bar.advance()
    if keep and missing:
        known |= {names[kind]: asdict(costs[kind]) for kind in missing}
        content = json.dumps({**_kept(plan), machine: known}, indent=1)
        with plan.folder.writing(), whole_file(plan.folder.costs) as target:
            target.write(f"{content}\n".encode())
    return {kind: costs[kind] for kind in kinds}


def _kept(plan: Plan) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        kept = json.loads(plan.folder.costs.read_bytes())
        if isinstance(kept, dict):
            return kept
    return {}


def _in_own_process(plan: Plan, kinds: Mapping[str, list[Cell]], workers: Workers) -> Iterator[tuple[str, CellCost]]:
    """The names of kinds and their costs, one after the other, all measured in one process."""
    if not kinds:
        return
    case = {
        "file": str(plan.file.absolute()),
        "out": str(plan.folder.path.absolute()),
        "data": workers.data,
        "device": workers.devices[0],
        "kinds": [[cell.number for cell in cells] for cells in kinds.values()],
        "began": time.time(),
    }
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.measuring", json.dumps(case)],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=workers.environment(),
        ) as process,
    ):
        assert process.stdout is not None
        left = list(kinds)
        for line in process.stdout:
            yield left.pop(0), CellCost(**json.loads(line))
        if process.wait():
            errors.seek(0)
            last = (errors.read().strip().splitlines() or [f"its process ended with status {process.returncode}"])[-1]
            raise InputError(f"{left[0]} can't be trained: {last}")
