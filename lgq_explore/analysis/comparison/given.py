"""The runs that a user names: single ones, those of a folder, and those of a sweep with what it recorded about them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lgq_explore.errors import InputError, in_command, printable
from lgq_explore.files import given_path_from_home
from lgq_explore.runs.config import read_json
from lgq_explore.runs.run import Run, open_run
from lgq_explore.runs.run_description import CONFIG
from lgq_explore.runs.run_paths import path_of_run, run_folders
from lgq_explore.runs.sweep_paths import RUNS, SWEEP_FILE, TRIAL, summary_files, sweep_folder

from .run_facts import Recorded

RunOrPath = Run | str | os.PathLike[str]
"""An opened run, or a path as `given_runs` takes it."""


@dataclass(frozen=True)
class GivenRuns:
    """Runs with weights, in the order they were named. recorded: what sweeps have noted, by the path of a run.

    sweeps: the content of each sweep's file by its path. skipped: a line on each run of a folder without weights.
    """

    runs: tuple[Run, ...]
    recorded: Mapping[Path, Recorded] = field(default_factory=dict)
    sweeps: Mapping[str, str] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()

    def recorded_of(self, runs: Mapping[str, Run]) -> dict[str, Recorded]:
        """What sweeps have noted of runs, by the names that these have in a comparison."""
        return {name: self.recorded[run.path] for name, run in runs.items() if run.path in self.recorded}


def given_runs(given: RunOrPath | Iterable[RunOrPath]) -> GivenRuns:
    """The runs that are meant by opened ones and paths, or by one of them.

    A path is that of a run (or its name under data/runs), of a folder of runs, or of the folder of a sweep.

    Raises:
        InputError: what is none of these, a run that was named and has no weights, or a folder without runs.
    """
    runs: list[Run] = []
    recorded: dict[Path, Recorded] = {}
    sweeps: dict[str, str] = {}
    skipped: list[str] = []
    for path in [given] if isinstance(given, Run | str | os.PathLike) else given:
        if isinstance(path, Run):
            runs.append(path)
            continue
        if not isinstance(path, str | os.PathLike):
            raise InputError(f"{printable(path)} is no run: give opened runs, names under data/runs, or folders")
        folder = path_of_run(path)
        if os.path.isfile(folder / CONFIG):
            runs.append(_trained(open_run(path)))
            continue
        found = _of_folder(given_path_from_home(path))
        runs += found.runs
        recorded |= found.recorded
        sweeps |= found.sweeps
        skipped += found.skipped
    return GivenRuns(tuple(runs), recorded, sweeps, tuple(skipped))


def _trained(run: Run) -> Run:
    run.trained()  # raises InputError, with the remedy, where there are no weights
    return run


def _of_folder(folder: Path) -> GivenRuns:
    if folder.suffix == ".toml":
        raise InputError(
            f"{printable(folder)} is the file of a sweep: give its folder, {in_command(sweep_folder(folder))} unless "
            "--out has named another one"
        )
    if not os.path.isdir(folder):
        raise InputError(f"{printable(folder)} is neither a run nor a folder of runs: lgq-explore list runs shows some")
    is_sweep = os.path.isfile(folder / SWEEP_FILE)
    paths = run_folders(folder / RUNS if is_sweep else folder)
    opened = {path: open_run(path) for path in paths}
    runs = {path: run for path, run in opened.items() if run.finished_steps}
    if not runs:
        raise InputError(f"{printable(folder)} holds no trained run: give the folder of some")
    skipped = tuple(f"{printable(path)} has no weights yet and is left out" for path in opened if path not in runs)
    if not is_sweep:
        return GivenRuns(tuple(runs.values()), skipped=skipped)
    summaries = {file.stem: read_json(file) for file in summary_files(folder)}
    # Trials have chosen the settings of the others, on validation photographs, and are compared with nothing.
    finals = {path: run for path, run in runs.items() if summaries.get(path.name, {}).get("kind") != TRIAL}
    recorded = {path: _recorded(summaries[path.name]) for path in finals if path.name in summaries}
    sweep = (folder / SWEEP_FILE).read_text(encoding="utf-8", errors="replace")
    return GivenRuns(tuple(finals.values()), recorded, {str(folder / SWEEP_FILE): sweep}, skipped)


def _recorded(summary: Mapping[str, Any]) -> Recorded:
    tuning = summary.get("tuning")
    trials = tuning.get("trials", ()) if isinstance(tuning, Mapping) else ()
    method, cost = summary.get("method"), summary.get("cost")
    costs = cost if isinstance(cost, Mapping) else {}
    return Recorded(
        method=method if isinstance(method, str) else "",
        trials=len(trials),
        tuned=frozenset(path for trial in trials for path in trial.get("settings") or ()),
        cpu_seconds=_number(costs, "training_cpu_seconds"),
    )


def _number(costs: Mapping[str, Any], name: str) -> float | None:
    value = costs.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
