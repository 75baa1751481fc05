"""Standard streams that may be closed, full, or have a limited encoding."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from typing import TextIO

from ..errors import InputError, printable


def say(text: str) -> None:
    """Print lines of a result on stdout, with terminal controls escaped.

    A reader that closes the pipe early (`| head`) is no error. Raises InputError if writing fails otherwise.
    """
    if isinstance(sys.stdout, _Closed):
        raise _undelivered("it is closed")
    try:
        print(*map(printable, text.split("\n")), sep="\n", flush=True)
    except BrokenPipeError:
        _write_nowhere(sys.stdout)
    except OSError as error:
        _write_nowhere(sys.stdout)
        raise _undelivered(str(error.strerror)) from error


def _undelivered(why: str) -> InputError:
    return InputError(f"the result can't be written to stdout: {why}. Send it to a file (> FILE) or a terminal.")


class _Closed(TextIOWrapper):
    """Replaces a stream that the caller has closed: libraries may print there, but a result would be lost."""


@contextmanager
def usable_streams() -> Iterator[None]:
    """A context in which the standard streams exist, never fail to encode, and cause no failure at exit."""
    _open_closed_descriptors()
    before = sys.stdin, sys.stdout, sys.stderr
    with _Closed(open(os.devnull, "r+b", buffering=0), write_through=True) as nowhere:
        sys.stdin, sys.stdout, sys.stderr = (stream or nowhere for stream in before)
        try:
            with _escaping(sys.stdout), _escaping(sys.stderr):
                yield
        finally:
            for stream in (sys.stdout, sys.stderr):
                try:
                    stream.flush()
                except (OSError, ValueError):
                    _write_nowhere(stream)  # otherwise Python would flush again at exit, and end with status 120
            sys.stdin, sys.stdout, sys.stderr = before


@contextmanager
def _escaping(stream: TextIO) -> Iterator[None]:
    """A context in which characters that the stream's encoding lacks are escaped instead of raising an exception."""
    if not isinstance(stream, TextIOWrapper):
        yield
        return
    before = stream.errors
    stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        with suppress(OSError, ValueError):  # it flushes
            stream.reconfigure(errors=before)


def _open_closed_descriptors() -> None:
    """Open closed standard descriptors on the null device, so that no other file gets their numbers."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError as error:
            if error.errno == errno.EBADF:
                os.open(os.devnull, os.O_RDWR)  # takes the lowest that is free


def _write_nowhere(stream: TextIO) -> None:
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
