"""Tests of the checks of output paths."""

from __future__ import annotations

from pathlib import Path

import pytest

from lgq_explore.errors import InputError
from lgq_explore.runs.outputs import require_folder_to_make, require_writable

LONG = "n" * 250  # a name that a folder may have, but not the hidden one that it is written under


def test_what_can_be_written_passes_and_leaves_nothing(tmp_path: Path) -> None:
    require_writable(tmp_path / "codes.npz")
    require_folder_to_make(tmp_path / "above" / "pictures")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["missing/codes.npz", LONG, "file/codes.npz"])
def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"can't be written: .*\. Name a file in a folder that exists\."):
        require_writable(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", ["file", "file/pictures", LONG, f"above/{LONG}"])
def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"exists already|can't be made: .*\. Name a folder that can be written\."):
        require_folder_to_make(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
