"""Files and folders that are written whole or not at all.

What is being written has a hidden name of its own beside the place it is for, and is renamed when it is whole. A
process that is killed leaves its hidden file or folder behind. Nobody can tell from outside whether its writer still
lives; but a living one writes, so what has not changed for a day is left over. The next writer of the same name
removes it. Whoever holds a folder alone may remove all such leftovers in it at once.
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
    """A path given by the user. Raises InputError for an empty one and for one with a null byte.

    Path would take an empty text for the working directory, and no file system has names with null bytes.
    """
    if not os.fspath(path):
        raise InputError("an empty text names no file and no folder: give a path")
    if "\0" in os.fspath(path):
        raise InputError(f"{printable(path)} contains a null byte: give a path without it")
    return Path(path)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write that takes `path`'s place when it is whole, and leaves nothing behind otherwise.

    Each writer has a hidden file of its own, so two processes may write the same path; the later one stays.
    """
    with _hidden_file(path) as (temporary, target):
        yield target
        _finish(target)
        os.replace(temporary, path)


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write that is at `path` when it is whole. FileExistsError where something is there by then."""
    with _hidden_file(path) as (temporary, target):
        yield target
        _finish(target)
        rename_to_new(temporary, path)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to fill that is at `path` when it is whole. FileExistsError where something is there by then.

    Of what came meanwhile only an empty folder is taken over: nothing is lost with it.
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
            os.rename(temporary, path)  # of folders: never replaces one that holds something
        except OSError as error:
            if os.path.lexists(path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from error
            raise
        _sync(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def rename_to_new(file: Path, path: Path) -> None:
    """Rename a file. FileExistsError, and both are as they were, where something is at `path`."""
    try:
        os.link(file, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: take the name first, then give it the content
        path.open("xb").close()
        os.replace(file, path)
    else:
        file.unlink()


def remove_folder(path: Path) -> None:
    """Remove a folder so that half of it is never found under its name, even by a process that is killed here."""
    hidden = hidden_beside(path)
    os.rename(path, hidden)
    shutil.rmtree(hidden)


def remove_leftovers(folder: Path, *, of: str | None = None, unchanged_for: float = SECONDS_OF_A_DAY) -> None:
    """Remove what killed writers left in a folder: all of it, or what was to become the file or folder named `of`.

    unchanged_for: seconds. 0 is for whoever holds the folder alone.
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
    """Since a file, or a folder or anything in it, was written to; 0 where it is gone."""
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
