"""The process that measures what cells cost: their first steps, and evaluations of a few crops.

python -m lgq_explore.sweeps.measuring JSON    prints a line for each kind of cells, see `costs`
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from lgq_explore.bench.fresh_process import PeakMemory
from lgq_explore.errors import InputError
from lgq_explore.images.opening import open_source
from lgq_explore.runs.encoding import evaluation_set
from lgq_explore.runs.run import Run
from lgq_explore.training.controls import Controls
from lgq_explore.training.loop import LogEvent, train
from lgq_explore.training.machine import fabric_on

from .cells import Cell
from .costs import CellCost
from .plan import Plan
from .summary import summary_of

WARM_UP_STEPS, TIMED_STEPS = 2, 4

FEW_CROPS, MORE_CROPS = 8, 24
"""Crops of two evaluations, whose difference says what a crop takes."""


@dataclass
class Measuring:
    """Measures kinds of cells one after the other. startup: seconds until what a cell needs was loaded.

    evaluated: kinds of cells, once libraries are loaded and features of their pictures are kept for all later ones.
    """

    plan: Plan
    device: str
    startup: float
    evaluated: set[str] = field(default_factory=set)

    def cost(self, cells: Sequence[Cell]) -> CellCost:
        """The cost of cells that differ in their kind alone, from the first steps of the last of them."""
        recipe = self.plan.likely_recipe(cells[-1])
        # Logging and saving do not affect the weights; a row per step makes the loop call the watch after each step.
        seldom = 10**9
        config = replace(recipe, log_steps=1, checkpoint_steps=seldom, snapshot_steps=seldom)
        peak, watch = PeakMemory(), _Watch(min(config.steps, WARM_UP_STEPS + TIMED_STEPS))
        with tempfile.TemporaryDirectory(prefix="lgq-explore-sweep-") as folder:
            watch.begin()
            run = train(
                config, Path(folder) / "run", device=self.device, on_log=watch, controls=watch.controls, progress=False
            )
            megabytes = peak.megabytes()
            evaluation = {cell.kind: self._evaluation(cell, run) for cell in cells}
        return CellCost(self.startup, watch.times[1] - watch.times[0], watch.step(), evaluation, megabytes)

    def _evaluation(self, cell: Cell, run: Run) -> float:
        """The seconds of a whole evaluation of a cell: a line through those of a few crops and of some more."""
        asked = self.plan.sweep.evaluation.crops
        if cell.kind not in self.evaluated:
            self._load(cell, run)
        few, found = self._timed(cell, run, min(asked, FEW_CROPS))
        there = len(evaluation_set(run, None, asked, found["split"]).crops.images)
        if there <= found["crops"]:
            return few
        more, further = self._timed(cell, run, min(there, MORE_CROPS))
        a_crop = max(0.0, more - few) / (further["crops"] - found["crops"])
        return more + a_crop * (there - further["crops"])

    def _load(self, cell: Cell, run: Run) -> None:
        """Evaluate a kind of cells for the first time: what that takes longer is spent once a process or machine."""
        asked = self.plan.sweep.evaluation.crops
        first, again = (self._timed(cell, run, min(asked, FEW_CROPS))[0] for _ in range(2))
        self._timed(cell, run, min(asked, MORE_CROPS))
        if not self.evaluated:
            self.startup += max(0.0, first - again)
        self.evaluated.add(cell.kind)

    def _timed(self, cell: Cell, run: Run, crops: int) -> tuple[float, Mapping[str, Any]]:
        """The seconds of an evaluation of so many crops at most, and what it was made on."""
        sweep, began = self.plan.sweep, time.perf_counter()
        few = replace(sweep.evaluation, crops=crops)
        summary = summary_of(cell, self.plan.likely_recipe(cell), run, few, sweep.tuning, None)
        return time.perf_counter() - began, summary["evaluation_set"]


@dataclass
class _Watch:
    """The clock at the beginning and after each logged step; training is stopped after the last of them."""

    last: int
    controls: Controls = field(default_factory=Controls)
    times: list[float] = field(default_factory=list)

    def begin(self) -> None:
        self.times.append(time.perf_counter())

    def __call__(self, event: LogEvent) -> None:
        self.times.append(time.perf_counter())
        if len(self.times) > self.last:
            self.controls.stop()

    def step(self) -> float:
        """The median seconds of a step after those that warm up."""
        intervals = [end - start for start, end in zip(self.times, self.times[1:], strict=False)]
        return statistics.median(intervals[min(WARM_UP_STEPS, len(intervals) - 1) :])


def main(case: Mapping[str, Any]) -> int:
    try:
        plan = Plan.read(Path(case["file"]), Path(case["out"]), case["data"])
        fabric_on(case["device"])  # imports what training needs
        measuring = Measuring(plan, case["device"], startup=time.time() - case["began"])
        recipe = plan.likely_recipe(plan.cells[0])
        open_source(recipe.data, recipe.image_size, division=recipe.split).close()  # decoded, if for the first time
        for numbers in case["kinds"]:
            cost = measuring.cost([plan.cells[number] for number in numbers])
            print(json.dumps(asdict(cost)), flush=True)
    except InputError as error:
        print(str(error).splitlines()[0], file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
