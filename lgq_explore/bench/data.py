"""What a source of pictures costs while it trains: waiting, memory, and the time before the first step.

A recipe trains by the loop that `lgq-explore train` runs, in a fresh process on one thread. Memory is that of the
process and of those that decode for it, together, above what it takes when everything is imported and nothing opened.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lgq_explore.errors import InputError
from lgq_explore.images.opening import open_source
from lgq_explore.runs.config import TrainConfig, config_from_json, config_to_json
from lgq_explore.training.loop import LogEvent, train
from lgq_explore.training.machine import fabric_on

from .fresh_process import ProcessFailed, in_fresh_process
from .markdown import count, number, table
from .results import about_runs

SECONDS_BETWEEN_LOOKS = 0.2
BATCHES_ALONE = 10
"""Batches that are timed without training, after as many that are not."""
PROCESSES = Path("/proc")
"""Where Linux reports processes; other systems have no equivalent."""


def measure_data(recipe: TrainConfig, device: str = "auto") -> dict[str, Any]:
    """Measure a recipe as described above: a JSON object with the recipe and one result.

    Raises InputError for fewer steps than the recipe's window, and as `train` does.
    """
    if recipe.steps < recipe.window_steps:
        raise InputError(f"steps is {recipe.steps}: give {recipe.window_steps} (window_steps) or more")
    try:
        measured = in_fresh_process(measure_training, {"recipe": config_to_json(recipe), "device": device})
    except ProcessFailed as error:
        raise InputError(f"training on {recipe.data} could not be measured: {error}") from error
    return {**about_runs("data", [recipe], measured.pop("environment")), "results": [measured]}


def measure_training(case: dict[str, Any]) -> dict[str, Any]:
    """The result for `recipe` on `device`; to be run in a fresh process."""
    recipe = config_from_json(case["recipe"])
    # Logging and saving do not affect the weights; the windows of rows at these steps are next to each other.
    config = replace(recipe, log_steps=recipe.window_steps, checkpoint_steps=10**9, snapshot_steps=10**9)
    fabric_on(case["device"], config.precision)  # imports what training does
    watch = _Watch()
    with tempfile.TemporaryDirectory(prefix="lgq-explore-bench-") as folder, _Memory() as memory:
        run = train(config, Path(folder) / "run", device=case["device"], on_log=watch, progress=False)
        history = run.history().set_index("step")
    rows = history[history.index % config.window_steps == 0]
    span = f"last_{config.window_steps}_steps"
    images = config.window_steps * config.batch_size
    seconds = images / rows[f"images_per_second_{span}"]
    seconds_of_steps = images / rows[f"images_per_second_without_waiting_{span}"]
    environment = run.environment
    return {
        "environment": environment.__dict__,
        "data": recipe.data,
        "photographs": [environment.training_photographs, environment.held_out_photographs],
        "recipe_hash": recipe.recipe_hash,
        "image_size": config.image_size,
        "batch_size": config.batch_size,
        "steps": int(rows.index.max()),
        "seconds_to_first_step": watch.first_step - watch.started,
        "median_step_seconds": float((seconds / config.window_steps).median()),
        "data_wait_share": float(1 - seconds_of_steps.sum() / seconds.sum()),
        "megabytes_above_imports": memory.megabytes,
        "images_per_second_without_training": _images_per_second(config),
    }


@dataclass
class _Watch:
    """Notes when the first step was finished; the loop calls it after each row of the history."""

    started: float = field(default_factory=time.perf_counter)
    first_step: float = 0.0

    def __call__(self, event: LogEvent) -> None:
        self.first_step = self.first_step or time.perf_counter()


def _images_per_second(config: TrainConfig) -> float:
    """Pictures that the source makes in a second while nothing else is computed."""
    rows = range(config.batch_size)
    with closing(open_source(config.data, config.image_size, seed=config.seed, division=config.split)) as source:
        for step in range(BATCHES_ALONE):
            source.batch(step, rows)
        started = time.perf_counter()
        for step in range(BATCHES_ALONE, 2 * BATCHES_ALONE):
            source.batch(step, rows)
        return BATCHES_ALONE * config.batch_size / (time.perf_counter() - started)


class _Memory:
    """The peak of resident memory of this process and its descendants above that at the start.

    megabytes: in units of 10⁶ bytes, as seen every `SECONDS_BETWEEN_LOOKS`; None if the system does not report it.
    """

    def __init__(self) -> None:
        self._start = self._peak = _resident_bytes_of_tree(os.getpid())
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="lgq memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()

    @property
    def megabytes(self) -> float | None:
        return (self._peak - self._start) / 1e6 if self._start else None

    def _look(self) -> None:
        while not self._is_over.wait(SECONDS_BETWEEN_LOOKS):
            self._peak = max(self._peak, _resident_bytes_of_tree(os.getpid()))


def _resident_bytes_of_tree(process: int) -> int:
    """Resident memory of a process and its descendants, in bytes; 0 for one that has ended, or is not reported."""
    total = 0
    with suppress(OSError, IndexError, ValueError):
        folder = PROCESSES / str(process)
        total = int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        for thread in (folder / "task").iterdir():
            for child in (thread / "children").read_text().split():
                total += _resident_bytes_of_tree(int(child))
    return total


def markdown_table(measured: Mapping[str, Any]) -> str:
    """One row: what the source cost; below it, what was measured."""
    (result,) = measured["results"]
    to_train, held_out = result["photographs"]
    row = [
        f"`{result['data']}`",
        f"{to_train or 0:,d} + {held_out or 0:,d}",
        f"{result['seconds_to_first_step']:.1f}",
        number(1000 * result["median_step_seconds"]),
        f"{100 * result['data_wait_share']:.2g} %",
        number(result["megabytes_above_imports"]),
        number(result["images_per_second_without_training"]),
    ]
    heads = ["data", "pictures", "to first step, s", "step, ms", "waiting", "memory, MB", "alone, images/s"]
    return table(heads, [row], left=1) + "\n\n" + _caption(measured, result)


def _caption(measured: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    recipe = measured["recipes"][result["recipe_hash"]]
    return (
        f"{count(result['steps'], 'step')} of {result['batch_size']} crops of {result['image_size']} px with "
        f"{recipe['quantizer']['method']}; waiting is the share of the time in which a step waits for its pictures, "
        "memory that of all processes above imports, and the last column what the source makes without training. "
        f"{measured['date']}, {measured['device']}."
    )
