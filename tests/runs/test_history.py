"""Tests of writing, reading and cutting a run's history."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lgq_explore.errors import InputError
from lgq_explore.runs import history
from lgq_explore.runs.history import END_BYTES, append_row, cut_history, history_content, history_of, row_of_step

WHOLE = "step,loss,temperature_override\n1,0.5,\n3,0.25,0.1\n6,1e-07,inf\n"
TORN = {"a cell": "9", "some cells": "9,0.1", "all but the end": "9,0.1,0.2", "zeros": "\0" * 40, "bytes": "\xff"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.csv"


def read_history(path: Path) -> pd.DataFrame:
    return history_of(history_content(path), path)


@pytest.mark.parametrize("torn", TORN.values(), ids=TORN)
def test_a_torn_last_row_is_passed_over_and_cut_off(path: Path, torn: str) -> None:
    path.write_bytes(WHOLE.encode() + torn.encode("latin-1"))
    assert read_history(path)["step"].tolist() == [1, 3, 6]
    cut_history(path, 6)
    assert path.read_text() == WHOLE
    append_row(path, {"step": 9, "loss": 2.0, "temperature_override": None})
    assert path.read_text() == WHOLE + "9,2.0,\n"


@pytest.mark.parametrize("torn", ["", *TORN.values()])
@pytest.mark.parametrize("step", [29_997, 29_970, 12])
def test_the_row_of_a_step_is_found_in_a_long_file_with_later_rows(path: Path, torn: str, step: int) -> None:
    rows = "".join(f"{step},{step / 8},0.1\n" for step in range(0, 30_000, 3))
    path.write_bytes(f"step,loss,temperature_override\n{rows}".encode() + torn.encode("latin-1"))
    assert path.stat().st_size > 2 * END_BYTES
    assert row_of_step(path, step) == {"step": step, "loss": step / 8, "temperature_override": 0.1}
    assert row_of_step(path, step + 1) == {}


@pytest.mark.parametrize("content", [None, "", "step,lo", "step,loss\n", "step,loss\n1,0."])
def test_there_is_no_row_before_the_first(path: Path, content: str | None) -> None:
    if content is not None:
        path.write_text(content)
    assert row_of_step(path, 1) == {}


def test_a_damaged_row_on_the_way_to_a_step_is_named(path: Path) -> None:
    path.write_text(f"{WHOLE}9,much,\n")
    with pytest.raises(InputError, match="its last line holds 'much' in its column loss"):
        row_of_step(path, 1)
    path.write_text(f"{WHOLE}9,much,\n10,0.1,\n")
    with pytest.raises(InputError, match="the line '9,much,' holds 'much' in its column loss"):
        row_of_step(path, 1)
    assert row_of_step(path, 10)["loss"] == 0.1
    path.write_text("loss\n1\n")
    with pytest.raises(InputError, match="no column step"):
        row_of_step(path, 1)


DAMAGED = {
    "two rows in one": ("2,0.52,0.5,0.1", "line 3 has 4 columns, not 3"),
    "a short row": ("2,0.5", "line 3 has 2 columns, not 3"),
    "a single cell": ("2", "line 3 has 1 column, not 3"),
    "a word": ("2,much,", "line 3 holds 'much' in its column loss"),
    "a number with a line below": ("2,1_0,", "line 3 holds '1_0' in its column loss"),
    "a byte": ("2,0.\xff5,", "line 3 holds"),
    "an earlier step": ("1,0.5,", "line 3 is of step 1, but follows step 1"),
    "half a step": ("2.5,0.5,", "line 3 is of step 2.5"),
    "no step": (",0.5,", "line 3 is of step "),
    "an endless cell": (f'2,"{"1" * 200_000}",', "line 3 has 0 columns"),
}


@pytest.mark.parametrize(("line", "why"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_row_before_others_is_named(path: Path, line: str, why: str) -> None:
    first, *others = WHOLE.splitlines()[1:]
    content = "\n".join([WHOLE.splitlines()[0], first, line, *others, ""]).encode("latin-1")
    path.write_bytes(content)
    for read in (lambda: read_history(path), lambda: cut_history(path, 6)):
        with pytest.raises(InputError, match=why) as told:
            read()
        assert str(path) in str(told.value)
        assert len(str(told.value).splitlines()) == 2
    assert path.read_bytes() == content


@pytest.mark.parametrize("line", [line for line, _ in DAMAGED.values()], ids=DAMAGED)
def test_damage_after_the_step_that_a_run_goes_on_from_goes_with_the_rest(path: Path, line: str) -> None:
    path.write_bytes(WHOLE.encode() + f"{line}\n9,0.1,\n".encode("latin-1"))
    cut_history(path, 6)
    assert path.read_text() == WHOLE
    cut_history(path, 3)
    assert read_history(path)["step"].tolist() == [1, 3]
    cut_history(path, 0)
    assert path.read_bytes() == b""


@pytest.mark.parametrize("header", ["epoch,loss", "step,loss,loss", ""])
def test_a_header_that_is_none_is_named(path: Path, header: str) -> None:
    path.write_text(f"{header}\n1,0.5,0.1\n")
    with pytest.raises(InputError, match=r"history\.csv can't be used.*\n.*delete it"):
        read_history(path)


def test_a_folder_in_its_place_is_named(path: Path) -> None:
    path.mkdir()
    with pytest.raises(InputError, match=r"history\.csv can't be read: Is a directory"):
        read_history(path)


def test_rows_keep_the_columns_that_the_file_began_with(path: Path) -> None:
    append_row(path, {"step": 1, "loss": 0.5})
    append_row(path, {"step": 2, "perplexity": 7.0, "loss": 0.25})
    append_row(path, {"step": 3})
    assert path.read_text() == "step,loss\n1,0.5\n2,0.25\n3,\n"


class FullDisk:
    """A file on a disk that takes `room` bytes more and then says so, as the system does, by a short count."""

    def __init__(self, file: Any, room: int) -> None:
        self.file, self.room = file, room

    def __enter__(self) -> FullDisk:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def write(self, content: bytes) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self.file.write(content[: self.room])


@pytest.mark.parametrize("room", [0, 5])
def test_a_row_that_finds_no_room_leaves_the_others_whole(
    path: Path, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text(WHOLE)
    real = Path.open

    def full(self: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        file = real(self, mode, *arguments, **options)
        return FullDisk(file, room) if mode == "ab" else file

    with monkeypatch.context() as patched:
        patched.setattr(history.Path, "open", full)
        with pytest.raises(OSError, match="No space left"):
            append_row(path, {"step": 9, "loss": 0.5, "temperature_override": None})
    assert path.read_text() == WHOLE
