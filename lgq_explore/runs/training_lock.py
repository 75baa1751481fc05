"""The lock of a run folder, which the process that trains there holds."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

LOCK = ".lock"

LONGEST_LOOK_SECONDS = 0.5
"""What a trainer waits for the lock: whoever only looks (`is_held`) has it for less than a thousandth of a second."""


class AlreadyHeld(Exception):
    """Another trainer holds the lock."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the lock of a run folder. Raises AlreadyHeld if another trainer holds it, and OSError."""
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=LONGEST_LOOK_SECONDS)
    except Timeout:
        raise AlreadyHeld(str(folder)) from None
    try:
        yield
    finally:
        lock.release()


def is_held(folder: Path) -> bool:
    """Whether a trainer, of this process or another one, holds the lock at this moment; False if that is unknown.

    The folder need not be writable.
    """
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:  # nobody has trained here, or the folder is gone
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        # Without flock, the file itself is the lock, and names its holder.
        return _is_held_without_flock(folder) if error.errno == errno.ENOSYS else _is_contention(error)
    finally:
        os.close(descriptor)
    return False


def _is_contention(error: OSError) -> bool:
    return error.errno in (errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK)


def _is_held_without_flock(folder: Path) -> bool:
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    except OSError:
        return False
    lock.release()
    return False
