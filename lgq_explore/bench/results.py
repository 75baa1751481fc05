"""Files of benchmark results, and the names of the devices they were measured on."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lgq_explore.errors import InputError, printable
from lgq_explore.files import hidden_beside, rename_to_new, whole_file
from lgq_explore.runs.config import TrainConfig, config_to_json, read_json
from lgq_explore.training.machine import processor_name

from .markdown import count


def results_folder(folder: Path) -> Path:
    """Create the folder if necessary, and check that it can be written, before long work. Raises InputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise _unwritable(folder, error) from error


def save_result(result: Mapping[str, Any], folder: Path) -> Path:
    """Write a new dated JSON file into `folder`; existing files are kept. Raises InputError."""
    stem = f"{result['date']}-{result['benchmark']}"
    names = (f"{stem}.json" if repeat == 1 else f"{stem}-{repeat}.json" for repeat in range(1, 10**6))
    folder = results_folder(folder)
    draft = hidden_beside(folder / f"{stem}.json")
    try:
        _write(result, draft)
        return next(path for path in map(folder.joinpath, names) if _took_name(draft, path))
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        draft.unlink(missing_ok=True)


def rewrite_result(result: Mapping[str, Any], path: Path) -> None:
    """Replace a file of `save_result` by a newer state of the same result. Raises InputError."""
    try:
        _write(result, path)
    except OSError as error:
        raise _unwritable(path.parent, error) from error


def _write(result: Mapping[str, Any], path: Path) -> None:
    with whole_file(path) as target:
        target.write((json.dumps(result, indent=1) + "\n").encode())


def _took_name(draft: Path, path: Path) -> bool:
    """Rename the draft if the name is free, and return whether it was; a simultaneous benchmark may have taken it."""
    try:
        rename_to_new(draft, path)
    except FileExistsError:
        return False
    return True


def _unwritable(folder: Path, error: OSError) -> InputError:
    return InputError(f"{printable(folder)} can't hold results: {error.strerror}. Give a folder that can be written.")


def about_runs(benchmark: str, recipes: Sequence[TrainConfig], environment: Mapping[str, Any]) -> dict[str, Any]:
    """The head of the result of a benchmark that trains: name, date and device, and the recipes by their hash.

    environment: of the runs, as in their folders.
    """
    return {
        "benchmark": benchmark,
        "date": today(),
        "device": device_name(environment["device"], environment["threads"]),
        "environment": environment,
        "recipes": {recipe.recipe_hash: config_to_json(recipe) for recipe in recipes},
    }


def read_result(path: Path, benchmark: str) -> dict[str, Any]:
    """Read a file that `save_result` wrote for this benchmark. Raises InputError for any other file."""
    result = read_json(path)
    if result.get("benchmark") != benchmark:
        raise InputError(f"{printable(path)} is not a result of lgq-explore bench {benchmark}: name one of its files")
    return result


def today() -> str:
    """The date of a result, in UTC."""
    return datetime.now(UTC).date().isoformat()


def device_name(device: str, threads: int) -> str:
    """A GPU's name; for a CPU its model, widest vector instructions, cores, and the threads in use."""
    if device != "cpu":
        return device
    return f"{processor_name()}, {count(os.cpu_count() or 1, 'core')}, {count(threads, 'thread')}"
