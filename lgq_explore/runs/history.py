"""The history of a run: writing, reading and cutting it, although its last row may be torn.

A row is written by one call. If that was cut short (a full disk, a kill), the last line has no end: readers ignore it,
and it is removed before the run continues. A damaged line before whole ones raises an InputError that names it.
"""

from __future__ import annotations

import csv
import errno
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pandas as pd

from lgq_explore.errors import InputError, printable
from lgq_explore.files import whole_file

from .run_files import unreadable

END_BYTES = 65_536
"""How much of a history's end is read for its last row."""

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?|[-+]?inf|nan|", re.ASCII | re.IGNORECASE)


def history_content(path: Path) -> bytes:
    """The bytes of a history; empty before the first row. Raises InputError for a file that cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise unreadable(path, error) from error


def history_of(content: bytes, path: Path) -> pd.DataFrame:
    """One row per logged step, in order, from the content of the file at `path`; empty before the first.

    Raises InputError, by line, for damaged content.
    """
    lines = _whole_lines(content)
    if not lines:
        return pd.DataFrame({"step": pd.Series(dtype=int)})
    for row in _rows(lines, path):
        row.require_whole(path)
    # The only engine that reads every float exactly as it was written, with any version of pandas.
    return pd.read_csv(StringIO("".join(f"{line}\n" for line in lines)), engine="python")


def row_of_step(path: Path, step: int) -> dict[str, float]:
    """A logged step's numbers by column; empty where it was not logged.

    Only the header and the file's end are read, where the step is in it. Rows of later steps, which a run that was
    killed leaves behind, and a torn row are passed over. Raises InputError for a file that is damaged in its header, or
    from its last line back to the step.
    """
    try:
        with path.open("rb") as file:
            header, start = file.readline(), file.tell()
            start = max(start, file.seek(0, os.SEEK_END) - END_BYTES)
            file.seek(start)
            lines = _whole_lines(file.read())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise unreadable(path, error) from error
    first = _whole_lines(header)[:1]
    is_all = start == len(header)
    lines = lines if is_all else lines[1:]  # the first of them may lack its beginning
    for line in reversed(lines if first else []):
        (row,) = _rows([*first, line], path)
        if row.step is None:
            which = "its last line" if line is lines[-1] else f"the line {line[:20]!r}"
            raise _unusable(path, f"{which} {row.trouble}", "that line")
        if row.step <= step:
            return _numbers(first[0], line) if row.step == step else {}
    return {} if is_all else _row_of_all(history_of(history_content(path), path), step)


def missing_end(content: bytes, path: Path, steps: int) -> str:
    """What is missing at the end of a finished run's history of `steps` steps, in a sentence or two; or empty."""
    try:
        last = history_of(content, path)["step"].max()
    except InputError as error:
        return str(error).replace("\n", " ")
    reached, is_torn = 0 if pd.isna(last) else int(last), not content.endswith(b"\n") and content != b""
    if reached >= steps and not is_torn:
        return ""
    torn = ", and a torn row follows" if is_torn else ""
    return (
        f"{printable(path)} ends with step {reached:,d} of {steps:,d}{torn}: curves and rules lack the rest. "
        "Put back the file that training wrote."
    )


def cut_history(path: Path, step: int) -> None:
    """Drop the rows after `step`, including torn and damaged ones; the run continues from that step.

    Raises InputError for a damaged line before rows that would be kept.
    """
    lines = _whole_lines(history_content(path))
    if not lines and not path.exists():
        return
    rows = _rows(lines, path) if lines else []
    kept = sum(row.step is not None and row.step <= step for row in rows)
    for row in rows[:kept]:
        row.require_whole(path)
    with whole_file(path) as target:
        target.write("".join(f"{line}\n" for line in lines[: kept + 1] if kept).encode())


def append_row(path: Path, row: Mapping[str, float | None]) -> None:
    """Append one row by one call, whole or not at all; the first row sets the columns. Raises OSError."""
    lines = _first_line(path)
    columns = _cells(lines[0]) if lines else list(row)  # those of the file, which an older version may have begun
    with path.open("ab", buffering=0) as target:
        start = target.tell()
        text = pd.DataFrame([row], columns=columns).to_csv(index=False, header=start == 0).encode()
        written = 0
        try:
            written = target.write(text)
        finally:
            if written != len(text):
                target.truncate(start)
    if written != len(text):  # on a full disk the system may write a part of it
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def _row_of_all(history: pd.DataFrame, step: int) -> dict[str, float]:
    found = history[history["step"] == step]
    return {str(name): float(value) for name, value in found.iloc[0].items()} if len(found) else {}


def _numbers(header: str, line: str) -> dict[str, float]:
    return {name: float(cell or "nan") for name, cell in zip(_cells(header), _cells(line), strict=True)}


def _whole_lines(content: bytes) -> list[str]:
    """The lines that have an end, the header first."""
    return content.decode(errors="replace").split("\n")[:-1]


def _first_line(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            line = file.readline()
    except FileNotFoundError:
        return []
    return [line.decode(errors="replace").rstrip("\n")] if line else []


@dataclass(frozen=True)
class _Row:
    """line: its number in the file. step: None if the line is not a valid next row; `trouble` then says why."""

    line: int
    step: int | None
    trouble: str = ""

    def require_whole(self, path: Path) -> None:
        if self.step is None:
            raise _unusable(path, f"line {self.line} {self.trouble}", "that line")


def _rows(lines: list[str], path: Path) -> list[_Row]:
    """The rows below the header. Raises InputError for an invalid header."""
    columns = _cells(lines[0])
    if "step" not in columns:
        raise _unusable(path, "it has no column step", "it")
    if len(set(columns)) < len(columns):
        raise _unusable(path, "two of its columns have one name", "it")
    rows: list[_Row] = []
    last = -1
    for number, line in enumerate(lines[1:], start=2):
        cells = _cells(line)
        trouble = _trouble(cells, columns, last)
        if not trouble:
            last = int(cells[columns.index("step")])
        rows.append(_Row(number, None if trouble else last, trouble))
    return rows


def _trouble(cells: list[str], columns: list[str], last: int) -> str:
    """Why the cells are not a row of these columns after step `last`, as the end of a sentence; or empty."""
    if len(cells) != len(columns):
        return f"has {len(cells)} {'column' if len(cells) == 1 else 'columns'}, not {len(columns)}"
    for cell, column in zip(cells, columns, strict=True):
        if not _NUMBER.fullmatch(cell):
            return f"holds {printable(cell)[:20]!r} in its column {column}"
    step = cells[columns.index("step")]
    if not (re.fullmatch(r"\d{1,18}", step, re.ASCII) and int(step) > last):
        return f"is of step {step}, but follows step {last}"
    return ""


def _cells(line: str) -> list[str]:
    try:
        return next(csv.reader([line]), [])
    except csv.Error:  # longer than any field may be
        return []


def _unusable(path: Path, why: str, what: str) -> InputError:
    return InputError(
        f"{printable(path)} can't be used: {why}.\nPut back the file that training wrote, or delete {what}."
    )
