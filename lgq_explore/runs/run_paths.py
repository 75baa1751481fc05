"""Paths of run folders, and names of new ones."""

from __future__ import annotations

import os
from pathlib import Path

from lgq_explore.errors import InputError, in_command, printable
from lgq_explore.files import given_path_from_home
from lgq_explore.folders import runs_folder

from .config import TrainConfig
from .run_description import CONFIG


def new_run_path(path: str | os.PathLike[str]) -> Path:
    """The path of a new run, with ~ expanded. Raises InputError if it exists already."""
    new = given_path_from_home(path)
    require_new_path(new)
    return new


def require_new_path(path: Path) -> None:
    """Raise InputError if the path exists already."""
    if os.path.lexists(path):  # False, unlike Path.exists, for an impossible name
        is_run = os.path.isfile(path / CONFIG)
        remedy = f"Continue it with lgq-explore resume {in_command(path)}, or give" if is_run else "It is no run: give"
        raise InputError(f"{printable(path)} exists already.\n{remedy} another folder.")


def path_of_run(run: str | os.PathLike[str]) -> Path:
    """The folder that is meant by a path, with ~ expanded, or by the name of a run under data/runs.

    A path that exists comes before a name.
    """
    path = given_path_from_home(run)
    named = runs_folder() / path
    return named if os.path.isfile(named / CONFIG) and not os.path.lexists(path) else path


def run_folders(folder: Path | None = None) -> list[Path]:
    """The run folders in a folder (by default data/runs), sorted by name; other entries are ignored."""
    runs = runs_folder() if folder is None else folder
    return [path.parent for path in sorted(runs.glob(f"[!.]*/{CONFIG}"))]


def default_run_path(config: TrainConfig) -> Path:
    """A free folder under data/runs, named by method, codebook size, recipe and seed."""
    name = f"{config.quantizer.method}-{config.quantizer.size}-{config.recipe_hash}-seed{config.seed}"
    folder = runs_folder()
    repeats = (folder / (name if repeat == 1 else f"{name}-{repeat}") for repeat in range(1, 10**6))
    return next(path for path in repeats if not os.path.lexists(path))
