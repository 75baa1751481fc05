"""What the runs of a folder say of themselves at a glance, without loading any weights."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lgq_explore.errors import InputError, printable
from lgq_explore.files import given_path_from_home
from lgq_explore.folders import runs_folder

from .evaluate import METRICS, kept_metrics
from .frozen_run import FileStamp, file_stamp
from .history import row_of_step
from .run import Run, open_run
from .run_description import CONFIG
from .run_paths import run_folders

TELLING = (CONFIG, "weights.safetensors", METRICS)
"""The files that make an overview a different one; of the history it has the row of the step of these weights."""


@dataclass(frozen=True)
class RunOverview:
    """A run folder as a list of runs shows it.

    run: None if it can't be opened; `trouble` then says why, in one line. begun: seconds since 1970. logged: the
    numbers that were logged at the last of the finished steps, by the columns of the history; empty where none were.
    metrics: the kept result of `evaluate`, of these weights. remark: what is missing or can't be read of a run that can
    be opened, in one line; usually empty.
    """

    path: Path
    run: Run | None
    trouble: str = ""
    finished_steps: int = 0
    begun: float = 0.0
    logged: Mapping[str, float] | None = None
    metrics: Mapping[str, Any] | None = None
    remark: str = ""


def overviews(folder: str | os.PathLike[str] | None = None) -> list[RunOverview]:
    """An overview of each run in a folder (by default data/runs), sorted by name.

    Raises InputError for a folder that does not exist, and for one that is itself a run.
    """
    return [overview(path) for path in run_folders(None if folder is None else require_folder(folder))]


def stamps(folder: str | os.PathLike[str] | None = None) -> dict[Path, FileStamp]:
    """Stamps of files in a folder (by default data/runs), equal while `overviews` would say the same; cheap to read."""
    runs = run_folders(None if folder is None else given_path_from_home(folder))
    return {run / name: file_stamp(run / name) for run in runs for name in TELLING}


def require_folder(folder: str | os.PathLike[str]) -> Path:
    """The folder, which holds runs. Raises InputError if there is none, or it is itself a run."""
    path = given_path_from_home(folder)
    if not os.path.isdir(path):
        raise InputError(f"{printable(path)} is not a folder: give one that holds runs")
    if os.path.isfile(path / CONFIG):
        raise InputError(f"{printable(path)} is itself a run: give the folder that holds it")
    return path


def overview(path: Path) -> RunOverview:
    """An overview of one run folder. A damaged one is no error: its `trouble` says what is wrong."""
    try:
        run = open_run(path)
        finished_steps, begun = run.finished_steps, (path / CONFIG).stat().st_mtime
    except (InputError, OSError) as error:
        return RunOverview(path, None, _in_one_line(error, path))
    remarks = []
    try:
        logged = row_of_step(path / "history.csv", finished_steps)
    except InputError as error:
        logged = {}
        remarks.append(_in_one_line(error, path))
    try:
        metrics = kept_metrics(run)
    except InputError as error:
        metrics = {}
        remarks.append(_in_one_line(error, path))
    if metrics and metrics["steps"] != finished_steps:
        remarks += [f"evaluated at step {metrics['steps']}, and trained on since"] if finished_steps else []
        metrics = {}
    return RunOverview(path, run, "", finished_steps, begun, logged, metrics, "; ".join(remarks))


def how_to_make_a_run(folder: str | os.PathLike[str] | None = None) -> str:
    """The sentence for a folder (by default data/runs) without runs."""
    place, run = (runs_folder(), "") if folder is None else (folder, f" --run {printable(Path(folder) / 'lgq')}")
    return f"no runs in {printable(place)}: lgq-explore train --quantizer lgq{run} makes one there"


def _in_one_line(error: Exception, path: Path) -> str:
    """What is wrong with a file of the run in this folder, without the folder's name."""
    return str(error).splitlines()[0].replace(f"{printable(path)}{os.sep}", "").rstrip(".")
