"""The work on one cell: it is claimed, trained or resumed, evaluated, and its summary is written."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lgq_explore.errors import InputError, printable
from lgq_explore.images.opening import resolve_spec
from lgq_explore.runs.run import Run, open_run
from lgq_explore.training.energy import joules_of
from lgq_explore.training.session import LogEvent, TrainingFailed
from lgq_explore.training.step.steps_in_flight import StepDiverged
from lgq_explore.training.to_the_end import train_to_the_end

from .cells import TRIAL, Cell
from .folder import SweepFolder
from .plan import Decided, Plan
from .summary import summary_of, summary_of_diverged_trial


def work_on(plan: Plan, cell: Cell, device: str = "auto") -> dict[str, Any]:
    """Train and evaluate one cell, from where it stopped, and return its summary; a finished one is not repeated.

    Raises InputError for other pictures or another evaluation than those of the summaries in the folder, CellTaken if
    another process works on it, TrialsMissing for a final cell whose trials are not done, and KeyboardInterrupt if
    training was asked to stop, which has saved by then.
    """
    decided, folder = plan.decided(cell), plan.folder
    with folder.claimed(decided.key):
        # A job of a cluster works on its cell alone, long after the plan was checked.
        plan.require_same_protocol(plan.fingerprint(decided.recipe))
        done = folder.summary(decided.key)
        if done is not None:
            return done
        folder.forget_failure(decided.key)
        summary = _summary(plan, decided, device)
        folder.save_summary(decided.key, summary)
    return summary


def _summary(plan: Plan, decided: Decided, device: str) -> dict[str, Any]:
    cell, sweep, meter = decided.cell, plan.sweep, _Meter()
    try:
        run = _trained(decided, plan.folder, device, meter)
    except TrainingFailed as error:
        if cell.kind != TRIAL or not isinstance(error.__cause__, StepDiverged):
            raise
        why, fingerprint = str(error).splitlines()[0], plan.fingerprint(decided.recipe)
        return summary_of_diverged_trial(cell, decided.recipe, decided.key, sweep.evaluation, fingerprint, why)
    cost, started = meter.cost(run), time.perf_counter()
    summary = summary_of(cell, decided.recipe, run, sweep.evaluation, sweep.tuning, decided.chosen)
    return {**summary, "cost": {**cost, "evaluation_seconds": round(time.perf_counter() - started, 3)}}


def _trained(decided: Decided, folder: SweepFolder, device: str, meter: Callable[[LogEvent], None]) -> Run:
    path, recipe = folder.run(decided.key), decided.recipe
    if path.exists():
        _require_place(open_run(path).config.data, resolve_spec(recipe.data), path)
    return train_to_the_end(recipe, path, device=device, on_log=meter)


def _require_place(then: str, now: str, path: Path) -> None:
    """Raise InputError for a run that was begun where the pictures lay elsewhere, as on another machine."""
    if then != now:
        raise InputError(
            f"{printable(path)} was begun with pictures at {printable(then)}, and they are at {printable(now)} now: "
            "put them back, or move the run away, and it is trained again"
        )


class _Meter:
    """The CPU time of training, between the first and the last step that are logged in a session."""

    def __init__(self) -> None:
        self._first, self._last, self._began, self._ended = 0, 0, 0.0, 0.0

    def __call__(self, event: LogEvent) -> None:
        self._last, self._ended = int(event.row["step"] or 0), time.process_time()
        if not self._first:
            self._first, self._began = self._last, self._ended

    def cost(self, run: Run) -> dict[str, Any]:
        """Seconds of training: by the clock over all sessions, and of CPU time, from the steps of the last session.

        A session that was killed can't say what it took, so its steps are taken to have cost as much as those after it.
        None where no two steps were logged. Joules, over all sessions, by what the machine has counted.
        """
        history, steps = run.history(), self._last - self._first
        per_step = (self._ended - self._began) / steps if steps else None
        return {
            "training_seconds": None if history.empty else float(history["seconds"].iloc[-1]),
            "training_cpu_seconds": None if per_step is None else round(per_step * run.config.steps, 3),
            "cpu_seconds_measured_over_steps": steps,
            "training_joules": joules_of(run),
        }
