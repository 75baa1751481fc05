"""Tests of the search for picture files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lgq_explore.images.finding import find_pictures


def place(path: Path, content: bytes = b"picture") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_names_and_sizes_are_sorted_and_relative(folder: Path) -> None:
    place(folder / "b" / "two.JPEG", b"12")
    place(folder / "a.png", b"1")
    place(folder / "b.webp", b"")
    place(folder / "notes.txt")
    place(folder / ".hidden.png")
    place(folder / ".git" / "c.png")
    (folder / "folder.jpg").mkdir()
    os.mkfifo(folder / "pipe.jpg")
    found = find_pictures(folder)
    assert found.names == ("a.png", "b.webp", "b/two.JPEG")
    assert found.sizes.tolist() == [1, 0, 2]
    assert len(set(found.files.tolist())) == 3
    assert found.closed == ()


def test_a_file_that_links_lead_to_is_taken_once(folder: Path, tmp_path: Path) -> None:
    real = place(folder / "real.png")
    (folder / "a-link.png").symlink_to(real)
    outside = place(tmp_path / "outside" / "far.png")
    for name in ("z.png", "y.png"):
        (folder / name).symlink_to(outside)
    (folder / "loop").symlink_to(folder)
    (folder / "gone.png").symlink_to(tmp_path / "nowhere")
    found = find_pictures(folder)
    assert found.names == ("gone.png", "real.png", "y.png")
    assert found.sizes.tolist() == [-1, 7, 7]


def test_hard_links_keep_their_names_and_are_known_as_one_file(folder: Path) -> None:
    os.link(place(folder / "a.png"), folder / "c.png")
    place(folder / "b.png")
    first, other, same = find_pictures(folder).files.tolist()
    assert first == same != other


def test_only_the_folders_that_are_named_are_searched(folder: Path) -> None:
    place(folder / "train" / "a.png")
    place(folder / "val" / "b.png")
    place(folder / "test" / "c.png")
    assert find_pictures(folder, ("val", "train")).names == ("train/a.png", "val/b.png")


def test_a_folder_that_cannot_be_listed_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place(folder / "closed" / "a.png")
    place(folder / "b.png")
    listed = os.scandir

    def refused(path: str) -> object:
        if str(path).rstrip("/").endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", refused)
    found = find_pictures(folder)
    assert (found.names, found.closed) == (("b.png",), (("closed", "Permission denied"),))
