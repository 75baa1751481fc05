"""Checks of output paths before long work begins."""

from __future__ import annotations

import os
from pathlib import Path

from lgq_explore.errors import InputError, printable
from lgq_explore.files import given_path, hidden_beside


def require_new(path: str | os.PathLike[str]) -> None:
    """Raise InputError if the path of a new file exists already."""
    if os.path.lexists(given_path(path)):
        raise InputError(f"{printable(path)} exists already: name a new file")


def require_new_folder(path: str | os.PathLike[str]) -> None:
    """Raise InputError if the path of a new folder exists already."""
    # Unlike Path.exists, lexists is False for a name that no folder can have.
    if os.path.lexists(os.path.abspath(given_path(path))):
        raise InputError(f"{printable(path)} exists already: name a new folder")


def require_writable(path: str | os.PathLike[str]) -> None:
    """Raise InputError if no file can be written at `path`. Leaves nothing behind."""
    try:
        _try_name(Path(path))
    except OSError as error:
        raise InputError(
            f"{printable(path)} can't be written: {error.strerror}. Name a file in a folder that exists."
        ) from error


def require_folder_to_make(path: str | os.PathLike[str]) -> None:
    """Raise InputError if no new folder can be made at `path`, including its parents. Leaves nothing behind."""
    require_new_folder(path)
    target = Path(os.path.abspath(path))
    above = next(parent for parent in target.parents if os.path.lexists(parent))
    try:
        for name in target.relative_to(above).parts:
            _try_name(above / name)
    except OSError as error:
        raise InputError(
            f"{printable(path)} can't be made: {error.strerror}. Name a folder that can be written."
        ) from error


def _try_name(path: Path) -> None:
    """Write and remove a file beside `path`, with a name as long as the hidden name used for writing."""
    trial = hidden_beside(path)
    trial.open("xb").close()
    trial.unlink()
