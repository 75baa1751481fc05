"""Tests of data SPECs and of the sources that the package ships."""

from __future__ import annotations

from pathlib import Path

import pytest

from lgq_explore.errors import InputError
from lgq_explore.images.opening import open_source, spec_forms
from tests.images.planted import noise


def refusal(spec: str) -> str:
    with pytest.raises(InputError) as refused:
        open_source(spec, 16)
    message = str(refused.value)
    assert len(message.splitlines()) <= 2
    return message


def test_unknown_specs_are_named_with_what_was_meant(folder: Path) -> None:
    message = refusal("photo")
    assert "'photo'" in message
    assert all(spec in message for spec in spec_forms())
    assert message.endswith("Did you mean photos?")
    assert refusal("floder:some/where").endswith("Did you mean folder:some/where?")
    assert refusal(str(folder)).endswith(f"Did you mean folder:{folder}?")
    assert "Did you mean" not in refusal("12345")
    assert "folder:PATH" in refusal("folder:")


def test_folders_that_give_nothing_are_refused(folder: Path, tmp_path: Path) -> None:
    assert f"no folder {tmp_path / 'missing'}" in refusal(f"folder:{tmp_path / 'missing'}")
    (tmp_path / "file.png").write_bytes(b"")
    assert f"{tmp_path / 'file.png'} is a file" in refusal(f"folder:{tmp_path / 'file.png'}")
    assert f"no image file in {folder}" in refusal(f"folder:{folder}")
    noise(0).save(folder / "cut.jpg")
    whole = (folder / "cut.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    message = refusal(f"folder:{folder}")
    assert str(folder) in message
    assert "1 skipped, the first cut.jpg: it cannot be decoded" in message
    assert refusal(f"folder:{folder}") == message  # from the cache too


def test_relative_and_home_paths_are_resolved(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(2):
        noise(seed).save(folder / f"{seed}.png")
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("HOME", str(folder.parent))
    specs = {open_source(spec, 16).spec for spec in ("folder:pictures", "folder:~/pictures/", f"folder:{folder}")}
    assert specs == {f"folder:{folder}"}


def test_photos_ship_eleven_photographs_of_ten_scenes() -> None:
    photos, everything = open_source("photos", 32), open_source("photos", 32, split=False).evaluation
    assert photos.skipped == ()
    assert len(everything) == 11
    assert photos.training.groups == (
        "astronaut",
        "china",
        "flower",
        "hubble_deep_field",
        "ihc",
        "retina",
        "rocket",
    )
    assert photos.evaluation.names == ("chelsea", "coffee", "motorcycle_left", "motorcycle_right")
    assert {min(pixels.shape[:2]) for pixels in everything.pixels} == {256}


def test_fake_pictures_need_no_file_and_repeat(data: Path) -> None:
    first, second = open_source("fake", 32), open_source("fake", 32)
    everything = open_source("fake", 32, split=False).evaluation
    assert first.identity == second.identity
    assert len(everything) >= 12
    assert len({pixels.tobytes() for pixels in everything.pixels}) == len(everything)
    assert all(min(pixels.shape[:2]) >= 64 and pixels.std() > 10 for pixels in everything.pixels)
    assert not data.exists()
