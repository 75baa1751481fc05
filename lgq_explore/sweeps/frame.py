"""Frames of a sweep: its cells with their numbers, and the numbers of their photographs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from lgq_explore.errors import InputError, printable
from lgq_explore.files import given_path_from_home

from .cells import Cell, described, in_words
from .folder import SweepFolder
from .plan import Plan
from .tuning import TrialsMissing

DONE, RUNNING, FAILED, WAITING = "done", "running", "failed", "waiting"


def summaries(folder: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The summaries in a sweep's folder, sorted by recipe. Raises InputError for a folder that holds no sweep."""
    return _folder(folder).all_summaries()


def frame(folder: str | os.PathLike[str]) -> pd.DataFrame:
    """One row per cell of a sweep, in their order, at any time of it.

    Columns: `cell` (its number), `state` (done, running, failed or waiting), what it is (`kind`, `method`,
    `quantizer`, `codebook_size`, `seed`, `rounding_replicate`, `trial`), `settings` (those that the trial tries, or
    that trials have chosen), `portable_hash` and `run` (missing while its trials are not done), and the numbers of
    `evaluate`, nested ones with dots: of validation photographs for trials, of held-out ones for final cells.

    Raises InputError for a folder that holds no sweep.
    """
    return pd.DataFrame(rows(Plan.read(_folder(folder).file, Path(folder))))


def rows(plan: Plan) -> list[dict[str, Any]]:
    """The rows of `frame`."""
    return [{"cell": cell.number, **_row(plan, cell)} for cell in plan.cells]


def photographs(folder: str | os.PathLike[str]) -> pd.DataFrame:
    """One row per final cell that is done and evaluated photograph: what comparisons of methods resample.

    Cells that the sweep's file no longer has are left out.

    Columns: `method`, `quantizer`, `codebook_size`, `seed`, `rounding_replicate`, `portable_hash`, `digest` (of the
    photograph's crops), and those of `photograph_numbers`. Raises InputError for a folder that holds no sweep.
    """
    names = ("method", "quantizer", "codebook_size", "seed", "rounding_replicate", "portable_hash")
    plan = Plan.read(_folder(folder).file, Path(folder))
    return pd.DataFrame(
        [
            {**{name: summary[name] for name in names}, "digest": digest, **numbers}
            for summary in map(plan.summary, plan.cells)
            if summary is not None
            for digest, numbers in summary["photographs"].items()
        ]
    )


def _state(folder: SweepFolder, key: str) -> str:
    """The state of a cell that has no summary."""
    if folder.is_claimed(key):
        return RUNNING
    return FAILED if folder.failure(key) else WAITING


def _row(plan: Plan, cell: Cell) -> dict[str, Any]:
    try:
        decided = plan.decided(cell)
    except (TrialsMissing, InputError):
        unknown = {"settings": in_words(cell.settings), "portable_hash": None, "run": None}
        return {"state": WAITING, **described(cell), **unknown}
    key, chosen = decided.key, decided.chosen
    settings = cell.settings if chosen is None else chosen["trials"][chosen["chosen"]]["settings"]
    summary = plan.folder.summary(key)
    state = DONE if summary is not None else _state(plan.folder, key)
    row: dict[str, Any] = {"state": state, **described(cell)}
    numbers = {} if summary is None else dict(_flat(summary["numbers"]))
    measured = {name: value for name, value in numbers.items() if name not in row}
    names = {"settings": in_words(settings), "portable_hash": key.partition("-")[0], "run": key}
    return {**row, **names, **measured}


def _flat(values: Mapping[str, Any], above: str = "") -> list[tuple[str, Any]]:
    """Numbers, with dots for nested ones; texts and lists are left out."""
    found: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{above}{name}.")
        elif value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            found.append((f"{above}{name}", value))
    return found


def _folder(folder: str | os.PathLike[str]) -> SweepFolder:
    found = SweepFolder(given_path_from_home(folder))
    if not found.file.is_file():
        raise InputError(
            f"{printable(folder)} holds no sweep: give the folder that lgq-explore sweep names, with a sweep.toml in it"
        )
    return found
