"""Files and folders that are written whole or not at all.

A file or folder is written under a hidden name in the same folder, and renamed when it is complete. A killed process
leaves its hidden file or folder behind. Other processes cannot tell whether its writer is still running, so a hidden
file counts as left over once it has not changed for a day. The next writer of the same name removes it. A process
that holds a folder exclusively may remove all leftovers in it at once.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from lgq_explore.errors import InputError, printable

SECONDS_OF_A_DAY = 24 * 60 * 60
_HIDDEN = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{8}")


def given_path(path: str | os.PathLike[str]) -> Path:
    """A path given by the user. Raises InputError for what is none, an empty one, and one with a null byte.

    Path would take an empty text for the working directory, and no file system has names with null bytes.
    """
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"{path!r} is no path: give a text or a Path")
    if not os.fspath(path):
        raise InputError("an empty text names no file and no folder: give a path")
    if "\0" in os.fspath(path):
        raise InputError(f"{printable(path)} contains a null byte: give a path without it")
    return Path(path)


def given_path_from_home(path: str | os.PathLike[str]) -> Path:
    """As `given_path`, with ~ expanded; a ~ of nobody's stays."""
    return Path(os.path.expanduser(given_path(path)))


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which replaces `path` when it is complete and leaves nothing behind otherwise.

    Each writer has its own hidden file, so two processes may write the same path; the last one wins.
    """
    with _hidden_file(path) as (temporary, target):
        yield target
        _finish(target)
        os.replace(temporary, path)


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which appears at `path` when it is complete. Raises FileExistsError if it exists by then."""
    with _hidden_file(path) as (temporary, target):
        yield target
        _finish(target)
        rename_to_new(temporary, path)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to fill, which appears at `path` when it is complete. Raises FileExistsError if it exists by then.

    An empty folder that appeared at the path meanwhile is replaced, since nothing is lost with it.
    """
    remove_leftovers(path.parent, of=path.name)
    temporary = hidden_beside(path)
    temporary.mkdir()
    try:
        yield temporary
        for file in temporary.iterdir():
            _sync(file)
        _sync(temporary)
        try:
            os.rename(temporary, path)  # never replaces a folder that is not empty
        except OSError as error:
            if os.path.lexists(path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from error
            raise
        _sync(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def rename_to_new(file: Path, path: Path) -> None:
    """Rename a file. Raises FileExistsError and changes nothing if `path` exists."""
    try:
        os.link(file, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: reserve the name first, then fill it
        path.open("xb").close()
        os.replace(file, path)
    else:
        file.unlink()


def remove_folder(path: Path) -> None:
    """Remove a folder; even if the process is killed meanwhile, no partial folder is left under its name."""
    hidden = hidden_beside(path)
    os.rename(path, hidden)
    shutil.rmtree(hidden)


def remove_leftovers(folder: Path, *, of: str | None = None, unchanged_for: float = SECONDS_OF_A_DAY) -> None:
    """Remove the leftovers of killed writers from a folder: all, or those of the file or folder named `of`.

    unchanged_for: seconds since the last change. Pass 0 only where this process holds the folder exclusively.
    """
    with suppress(OSError):
        for path in list(folder.iterdir()):
            hidden = _HIDDEN.fullmatch(path.name)
            if hidden and of in (None, hidden["name"]) and _seconds_unchanged(path) >= unchanged_for:
                _remove(path)


def hidden_beside(path: Path) -> Path:
    """A new hidden name in the same folder."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}")


@contextmanager
def _hidden_file(path: Path) -> Iterator[tuple[Path, BinaryIO]]:
    remove_leftovers(path.parent, of=path.name)
    temporary = hidden_beside(path)
    try:
        with temporary.open("xb") as target:
            yield temporary, target
    finally:
        temporary.unlink(missing_ok=True)


def _finish(target: BinaryIO) -> None:
    target.flush()
    os.fsync(target.fileno())


def _seconds_unchanged(path: Path) -> float:
    """Seconds since the last change of a file, or of a folder and its direct content; 0 if it is gone."""
    try:
        inside = list(path.iterdir()) if path.is_dir() and not path.is_symlink() else []
        return max(0.0, time.time() - max(entry.lstat().st_mtime for entry in (path, *inside)))
    except OSError:
        return 0.0


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
