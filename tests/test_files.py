"""Tests of files and folders that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest

from lgq_explore.errors import InputError
from lgq_explore.files import (
    SECONDS_OF_A_DAY,
    given_path,
    new_file,
    new_folder,
    remove_folder,
    remove_leftovers,
    rename_to_new,
    whole_file,
)


@pytest.mark.parametrize(
    ("path", "complaint"), [("", "an empty text names no file"), ("runs/a\0b", r"runs/a\\x00b contains a null byte")]
)
def test_a_path_that_no_file_can_have_is_named(path: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        given_path(path)


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


def test_a_folder_appears_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "step-1"
    with new_folder(path) as folder:
        (folder / "state").write_text("mine")
        assert not path.exists()
        assert folder.name.startswith(".")
        assert folder.parent == path.parent
    assert names(path) == ["state"]
    assert names(tmp_path) == ["step-1"]


def test_a_crash_leaves_no_folder(tmp_path: Path) -> None:
    def write_half() -> None:
        with new_folder(tmp_path / "step-1") as folder:
            (folder / "state").write_text("half")
            raise Crash

    with pytest.raises(Crash):
        write_half()
    assert names(tmp_path) == []


def test_a_folder_is_not_made_where_its_parent_is_gone(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), new_folder(tmp_path / "run" / "step-1"):
        pass
    assert names(tmp_path) == []


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_what_came_while_a_folder_was_written_stays(tmp_path: Path, kind: str) -> None:
    path, elsewhere = tmp_path / "pictures", tmp_path / "elsewhere"
    elsewhere.mkdir()

    def write() -> None:
        with new_folder(path) as folder:
            (folder / "0.png").write_text("ours")
            if kind == "file":
                path.write_text("theirs")
            elif kind == "link":
                path.symlink_to(elsewhere)
            else:
                path.mkdir()
                (path / "thesis.txt").write_text("theirs")

    with pytest.raises(FileExistsError):
        write()
    assert names(tmp_path) == ["elsewhere", "pictures"]
    assert (path / "thesis.txt" if kind == "folder" else path).exists()
    assert not (path / "0.png").exists()


@pytest.mark.parametrize("links", [True, False])
def test_what_came_while_a_file_was_written_stays(tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    if not links:
        monkeypatch.setattr(os, "link", no_links)
    with new_file(tmp_path / "free") as target:
        target.write(b"ours")
    assert (tmp_path / "free").read_bytes() == b"ours"

    def write() -> None:
        with new_file(tmp_path / "taken") as target:
            target.write(b"ours")
            (tmp_path / "taken").write_bytes(b"theirs")

    with pytest.raises(FileExistsError):
        write()
    assert (tmp_path / "taken").read_bytes() == b"theirs"
    assert names(tmp_path) == ["free", "taken"]


def test_a_file_that_cannot_be_renamed_is_kept(tmp_path: Path) -> None:
    for name in ("ours", "theirs"):
        (tmp_path / name).write_text(name)
    with pytest.raises(FileExistsError):
        rename_to_new(tmp_path / "ours", tmp_path / "theirs")
    assert [(tmp_path / name).read_text() for name in ("ours", "theirs")] == ["ours", "theirs"]


def test_no_half_of_a_folder_is_left_under_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "step-1"
    path.mkdir()
    (path / "state").write_text("whole")

    def crash(hidden: Path) -> None:
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr("lgq_explore.files.shutil.rmtree", crash)
        with pytest.raises(Crash):
            remove_folder(path)
    assert not path.exists()
    remove_leftovers(tmp_path, unchanged_for=0)
    assert names(tmp_path) == []


def left_over(tmp_path: Path, name: str, days: float) -> Path:
    """A hidden folder with a file, as a killed writer leaves it, unchanged for some days."""
    folder = tmp_path / name
    folder.mkdir()
    (folder / "state").write_text("half")
    then = time.time() - days * SECONDS_OF_A_DAY
    for path in (folder / "state", folder):
        os.utime(path, (then, then))
    return folder


def test_the_next_writer_removes_what_a_killed_one_left_of_the_same_name(tmp_path: Path) -> None:
    left_over(tmp_path, ".cache.npz.0123abcd", days=1.01)
    for kept in (".cache.npz.0123abce", ".cache.json.0123abcd", ".cache.npz.mine", "cache.npz.0123abcd"):
        left_over(tmp_path, kept, days=0.99 if kept == ".cache.npz.0123abce" else 2)
    before = names(tmp_path)
    with whole_file(tmp_path / "cache.npz") as target:
        target.write(b"whole")
    assert set(before) - set(names(tmp_path)) == {".cache.npz.0123abcd"}
    assert set(names(tmp_path)) - set(before) == {"cache.npz"}


def test_what_is_still_written_to_is_not_left_over(tmp_path: Path) -> None:
    folder = left_over(tmp_path, ".pictures.0123abcd", days=2)
    os.utime(folder / "state")  # its writer is at this file
    remove_leftovers(tmp_path)
    assert folder.exists()
