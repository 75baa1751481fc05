"""What the folder of a sweep holds, for those who write it and those who only read it."""

from __future__ import annotations

from pathlib import Path

from lgq_explore.folders import data_directory

SWEEP_FILE, RUNS, SUMMARIES = "sweep.toml", "runs", "summaries"
"""The copy of the sweep's file, the folder of its runs, and the folder of what it noted of each, by the run's name."""

TRIAL, FINAL = "trial", "final"
"""Kinds of trainings: those that tune a method, and those that are compared."""


def sweep_folder(file: Path) -> Path:
    """The folder of a sweep's file by default: data/sweeps/NAME, or the file's own if it is a sweep's copy."""
    is_copy = file.name == SWEEP_FILE and (file.parent / SUMMARIES).is_dir()
    return file.parent if is_copy else data_directory() / "sweeps" / file.stem


def summary_files(folder: Path) -> list[Path]:
    """The files of summaries in a sweep's folder, sorted by name; names without their ending are those of runs."""
    return sorted((folder / SUMMARIES).glob("[!.]*.json"))
