"""Is what is written there whole or not at all, and nothing else left behind?"""

from __future__ import annotations

from pathlib import Path

import pytest

from lgq_explore.training.files import whole_file, whole_folder


class Crash(Exception):
    pass


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_takes_its_place_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"old")
    with whole_file(path) as target:
        target.write(b"new")
        target.flush()
        assert path.read_bytes() == b"old"
        assert all(name.startswith(".") for name in names(tmp_path) if name != "weights")
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["weights"]


def test_a_crash_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"old")

    def write_half() -> None:
        with whole_file(path) as target:
            target.write(b"half")
            raise Crash

    with pytest.raises(Crash):
        write_half()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["weights"]


def test_two_writers_do_not_meet_and_the_later_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "cache"
    with whole_file(path) as first:
        with whole_file(path) as second:
            first.write(b"first")
            second.write(b"second")
        assert path.read_bytes() == b"second"
    assert path.read_bytes() == b"first"
    assert names(tmp_path) == ["cache"]


def test_a_folder_appears_as_a_whole_in_place_of_an_older_one(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "step-1"
    for content in ("old", "new"):
        with whole_folder(path) as folder:
            (folder / content).write_text(content)
            assert folder.name.startswith(".")
            assert folder.parent == path.parent
        assert names(path) == [content]
    assert names(path.parent) == ["step-1"]


def test_a_crash_leaves_the_old_folder_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "step-1"
    with whole_folder(path) as folder:
        (folder / "state").write_text("old")

    def write_half() -> None:
        with whole_folder(path) as folder:
            (folder / "state").write_text("half")
            raise Crash

    with pytest.raises(Crash):
        write_half()
    assert (path / "state").read_text() == "old"
    assert names(tmp_path) == ["step-1"]
