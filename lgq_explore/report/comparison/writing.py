"""Files of a report, which are written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lgq_explore.errors import InputError, printable
from lgq_explore.files import whole_file


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """A context in which a failure to write is an InputError that names the path."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{printable(path)} can't be written: {error.strerror}. Name a place in a folder that can be written."
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write a file in UTF-8. File names that are not valid UTF-8 hold surrogates, which are escaped. Raises OSError."""
    with whole_file(path) as target:
        target.write(text.encode("utf-8", errors="backslashreplace"))
