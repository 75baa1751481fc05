"""What cells cost, from measured steps of each method and codebook size."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from lgq_explore.bench.fresh_process import PeakMemory
from lgq_explore.errors import InputError
from lgq_explore.files import whole_file
from lgq_explore.images.opening import open_source
from lgq_explore.progress import Progress
from lgq_explore.runs.config import TrainConfig, config_from_json, config_to_json
from lgq_explore.training.controls import Controls
from lgq_explore.training.loop import LogEvent, train
from lgq_explore.training.machine import fabric_on, processor_name

from .folder import SweepFolder

WARM_UP_STEPS, TIMED_STEPS = 2, 4


@dataclass(frozen=True)
class StepCost:
    """What was measured of a recipe.

    start: seconds before the second step, such as a start of codes from data. step: median seconds a step, by the
    clock. megabytes: most memory that training took, in units of 10⁶ bytes; None if the system does not report it.
    """

    start: float
    step: float
    megabytes: float | None

    def seconds(self, steps: int) -> float:
        """The seconds of a whole training of so many steps."""
        return self.start + self.step * steps


def measured_costs(
    recipes: Mapping[str, TrainConfig], folder: SweepFolder, device: str, environment: Mapping[str, str], keep: bool
) -> dict[str, StepCost]:
    """The cost of each recipe, by its name, measured in a process of its own with the threads of `environment`.

    Costs that the folder has of an equal machine are taken from there. keep: whether new ones are written to it.
    Raises InputError, which begins with the name, for a recipe that can't make these steps.
    """
    machine = f"{processor_name()}, {device}, {environment.get('OMP_NUM_THREADS', '')} threads"
    known = _kept(folder).get(machine, {})
    costs, missing = {}, {}
    for name, recipe in recipes.items():
        if recipe.recipe_hash in known:
            costs[name] = StepCost(**known[recipe.recipe_hash])
        else:
            missing[name] = recipe
    with Progress("measuring steps", len(missing), "recipes", shown=len(missing) > 1) as bar:
        for name, cost in _in_own_process(missing, device, environment):
            costs[name] = cost
            bar.advance()
    if keep and missing:
        known |= {recipe.recipe_hash: asdict(costs[name]) for name, recipe in missing.items()}
        content = json.dumps({**_kept(folder), machine: known}, indent=1)
        with folder.writing(), whole_file(folder.costs) as target:
            target.write(f"{content}\n".encode())
    return {name: costs[name] for name in recipes}


def _kept(folder: SweepFolder) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        kept = json.loads(folder.costs.read_bytes())
        if isinstance(kept, dict):
            return kept
    return {}


def _in_own_process(
    recipes: Mapping[str, TrainConfig], device: str, environment: Mapping[str, str]
) -> Iterator[tuple[str, StepCost]]:
    """The names of recipes and their costs, one after the other, all measured in one process."""
    if not recipes:
        return
    case = {"device": device, "recipes": {name: config_to_json(recipe) for name, recipe in recipes.items()}}
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            [sys.executable, "-m", __name__, json.dumps(case)],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=dict(environment),
        ) as process,
    ):
        assert process.stdout is not None
        left = list(recipes)
        for line in process.stdout:
            yield left.pop(0), StepCost(**json.loads(line))
        if process.wait():
            errors.seek(0)
            last = (errors.read().strip().splitlines() or [f"its process ended with status {process.returncode}"])[-1]
            raise InputError(f"{left[0]} can't be trained: {last}")


def measure(recipe: TrainConfig, device: str) -> StepCost:
    """The cost of a recipe, from its first steps."""
    # Logging and saving do not affect the weights; a row per step makes the loop call the watch after each step.
    seldom = 10**9
    config = replace(recipe, log_steps=1, checkpoint_steps=seldom, snapshot_steps=seldom)
    fabric_on(device)  # imports what would else be counted
    open_source(config.data, config.image_size, division=config.split).close()  # decoded, if it is for the first time
    peak = PeakMemory()
    with tempfile.TemporaryDirectory(prefix="lgq-explore-sweep-") as folder:
        watch = _Watch(min(config.steps, WARM_UP_STEPS + TIMED_STEPS))
        train(config, Path(folder) / "run", device=device, on_log=watch, controls=watch.controls, progress=False)
    intervals = [end - start for start, end in zip(watch.times, watch.times[1:], strict=False)]
    timed = intervals[min(WARM_UP_STEPS, len(intervals) - 1) :] if len(intervals) > 1 else intervals
    return StepCost(watch.times[1] - watch.times[0], statistics.median(timed), peak.megabytes())


@dataclass
class _Watch:
    """The clock at the beginning and after each logged step; training is stopped after the last of them."""

    last: int
    controls: Controls = field(default_factory=Controls)
    times: list[float] = field(default_factory=lambda: [time.perf_counter()])

    def __call__(self, event: LogEvent) -> None:
        self.times.append(time.perf_counter())
        if len(self.times) > self.last:
            self.controls.stop()


def main(case: Mapping[str, Any]) -> int:
    for recipe in case["recipes"].values():
        try:
            cost = measure(config_from_json(recipe), case["device"])
        except InputError as error:
            print(str(error).splitlines()[0], file=sys.stderr)
            return 2
        print(json.dumps(asdict(cost)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
