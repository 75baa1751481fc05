"""How is a run's history written, read and cut, although a row may have been torn?

A row is written by one call. Where that was cut short (a full disk, a kill) the last line has no end: readers pass it
over, and it is cut off before the run goes on. A damaged line before whole ones is not guessed at: it is named.
"""

from __future__ import annotations

import csv
import errno
import os
import re
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

import pandas as pd

from lgq_explore.errors import InputError, printable

from .files import whole_file

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?|[-+]?inf|nan|", re.ASCII | re.IGNORECASE)


def read_history(path: Path) -> pd.DataFrame:
    """A row a logged step, in order; empty before the first. Raises InputError, by line, for a damaged file."""
    lines = _whole_lines(path)
    if not lines:
        return pd.DataFrame({"step": pd.Series(dtype=int)})
    steps = _steps(lines, path)
    if None in steps:
        raise _damaged(path, steps.index(None) + 2)
    # The one engine that reads every float exactly as it was written, whichever pandas is installed.
    return pd.read_csv(StringIO("".join(f"{line}\n" for line in lines)), engine="python")


def cut_history(path: Path, step: int) -> None:
    """Drop the rows after `step`, and what is torn or damaged from there on: the run continues from that step.

    Raises InputError where a damaged line stands before rows that would be kept.
    """
    lines = _whole_lines(path)
    if not lines and not path.exists():
        return
    steps = _steps(lines, path) if lines else []
    kept = sum(found is not None and found <= step for found in steps)
    if None in steps[:kept]:
        raise _damaged(path, steps.index(None) + 2)
    with whole_file(path) as target:
        target.write("".join(f"{line}\n" for line in lines[: kept + 1] if kept).encode())


def append_row(path: Path, row: Mapping[str, float | None]) -> None:
    """Add one row by one call, whole or not at all; the first one names the columns. Raises OSError."""
    lines = _first_line(path)
    columns = _cells(lines[0]) if lines else list(row)  # those of the file, whichever version began it
    with path.open("ab", buffering=0) as target:
        start = target.tell()
        text = pd.DataFrame([row], columns=columns).to_csv(index=False, header=start == 0).encode()
        written = 0
        try:
            written = target.write(text)
        finally:
            if written != len(text):
                target.truncate(start)
    if written != len(text):  # the system writes a part of it where a disk gets full
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def _whole_lines(path: Path) -> list[str]:
    """The lines that have an end, the header first. Raises InputError for a file that cannot be read."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"{printable(path)} can't be read: {error.strerror}.\nMake it a readable file.") from error
    return content.decode(errors="replace").split("\n")[:-1]


def _first_line(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            line = file.readline()
    except FileNotFoundError:
        return []
    return [line.decode(errors="replace").rstrip("\n")] if line else []


def _steps(lines: list[str], path: Path) -> list[int | None]:
    """The step of each row below the header; None where the line is no row of numbers that follows the ones before."""
    columns = _cells(lines[0])
    if "step" not in columns or len(set(columns)) < len(columns):
        raise _damaged(path, 1)
    steps: list[int | None] = []
    last = -1
    for line in lines[1:]:
        cells = _cells(line)
        is_row = len(cells) == len(columns) and all(map(_NUMBER.fullmatch, cells))
        text = cells[columns.index("step")] if is_row else ""
        is_next = re.fullmatch(r"\d{1,18}", text, re.ASCII) is not None and int(text) > last
        steps.append(int(text) if is_next else None)
        last = int(text) if is_next else last
    return steps


def _cells(line: str) -> list[str]:
    try:
        return next(csv.reader([line]), [])
    except csv.Error:  # longer than any field may be
        return []


def _damaged(path: Path, line: int) -> InputError:
    trouble, remedy = ("does not name its columns", "it") if line == 1 else ("is no row that comes next", "that line")
    return InputError(
        f"{printable(path)} is damaged: line {line} {trouble}.\n"
        f"Put back the file that training wrote, or delete {remedy}."
    )
