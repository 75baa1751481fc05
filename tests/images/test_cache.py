"""Tests of the cache of decoded pictures: changed, damaged and unreadable files."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lgq_explore.errors import InputError
from lgq_explore.images import cache as image_cache
from lgq_explore.images.opening import open_source
from lgq_explore.images.photographs import PhotographSource


@pytest.fixture
def cache(data: Path) -> Path:
    return data / "images"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "pictures"
    path.mkdir()
    for seed in range(3):
        noise(seed).save(path / f"{seed}.png")
    return path


def noise(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (12, 10, 3), dtype=np.uint8))


def load(folder: Path) -> PhotographSource:
    return open_source(f"folder:{folder}", 8, split=False)


def assert_same(images: PhotographSource, expected: PhotographSource) -> None:
    assert images.identity == expected.identity
    assert images.evaluation.names == expected.evaluation.names
    for pixels, others in zip(images.evaluation.pixels, expected.evaluation.pixels, strict=True):
        np.testing.assert_array_equal(pixels, others)


class Entry:
    """The pair of files of one cached folder, to be put back or replaced."""

    def __init__(self, cache: Path) -> None:
        (self.index,), (self.pixels,) = cache.glob("*.json"), cache.glob("*.npy")
        self.whole = {path: path.read_bytes() for path in (self.index, self.pixels)}

    def put(self, path: Path, content: bytes) -> None:
        """`content` in place of one file, the other as it was."""
        for name, bytes_of in {**self.whole, path: content}.items():
            name.unlink(missing_ok=True)
            name.write_bytes(bytes_of)


# --- what is damaged is made anew ------------------------------------------------------------------


def test_a_changed_byte_gives_the_same_pictures_or_a_cache_made_anew(folder: Path, cache: Path) -> None:
    expected = load(folder)
    entry = Entry(cache)
    generator = np.random.default_rng(0)
    for path, whole in entry.whole.items():
        for place in generator.choice(len(whole), 60, replace=False).tolist():
            changed = bytearray(whole)
            changed[place] ^= int(generator.integers(1, 256))
            entry.put(path, bytes(changed))
            assert_same(load(folder), expected)


def test_a_change_in_place_is_noticed_by_a_process_that_has_read_the_file_before(folder: Path, cache: Path) -> None:
    expected = load(folder)
    assert_same(load(folder), expected)
    reference = [np.array(pixels) for pixels in expected.evaluation.pixels]
    entry = Entry(cache)
    status = entry.pixels.stat()
    with entry.pixels.open("r+b") as file:
        file.seek(-50, os.SEEK_END)
        file.write(bytes([entry.whole[entry.pixels][-50] ^ 255]))
    os.utime(entry.pixels, ns=(status.st_atime_ns, status.st_mtime_ns))
    for pixels, original in zip(load(folder).evaluation.pixels, reference, strict=True):
        np.testing.assert_array_equal(pixels, original)


def odd_indices(index: dict[str, Any]) -> Iterator[Any]:
    pictures = index["pictures"]
    yield from (None, [], {}, 3, "text", {"pictures": pictures}, {**index, "sha256": None})
    yield {**index, "pictures": pictures[::-1]}
    yield {**index, "pictures": pictures[:2]}
    yield {**index, "pictures": [{**pictures[0], "name": [1]}, *pictures[1:]]}
    yield {**index, "pictures": [{**pictures[0], "height": -1}, *pictures[1:]]}
    yield {**index, "pictures": [{**pictures[0], "sketch": {"bits": "", "brightness": 0.0}}, *pictures[1:]]}
    yield {**index, "skipped": [1]}
    yield {key: value for key, value in index.items() if key != "skipped"}


def test_an_odd_index_is_made_anew(folder: Path, cache: Path) -> None:
    expected = load(folder)
    entry = Entry(cache)
    odd = [json.dumps(index).encode() for index in odd_indices(json.loads(entry.whole[entry.index]))]
    for content in [*odd, b"", b"[" * 100_000, b"\xff\xfe", b"1" * 10_000, b"NaN"]:
        entry.put(entry.index, content)
        assert_same(load(folder), expected)
        assert json.loads(entry.index.read_bytes()) == json.loads(entry.whole[entry.index])


def test_pixels_that_are_no_array_are_made_anew(folder: Path, cache: Path) -> None:
    expected = load(folder)
    entry = Entry(cache)
    whole = entry.whole[entry.pixels]
    archive, other = io.BytesIO(), io.BytesIO()
    np.savez(archive, a=np.zeros(3))
    np.save(other, np.zeros(len(whole) - 128, np.int8))
    for content in (b"", whole[:8] + b"((((", whole[:-1], whole + b"\0", archive.getvalue(), other.getvalue()):
        entry.put(entry.pixels, content)
        assert_same(load(folder), expected)
        assert entry.pixels.read_bytes() == whole


def test_a_folder_without_a_usable_picture_is_remembered_too(folder: Path, cache: Path) -> None:
    for file in folder.iterdir():
        file.write_bytes(b"no picture")
    for _ in range(2):
        with pytest.raises(InputError, match=r"3 skipped, the first 0\.png: it is not an image"):
            load(folder)
    assert len(list(cache.iterdir())) == 2


def test_what_killed_writers_left_is_removed(folder: Path, cache: Path) -> None:
    cache.mkdir(parents=True)
    old, new = cache / ".folder-a-8px-0.npy.0123abcd", cache / ".folder-b-8px-0.npy.0123abcd"
    for leftover in (old, new):
        leftover.write_bytes(b"half")
    os.utime(old, (1, 1))
    load(folder)
    assert (old.exists(), new.exists()) == (False, True)


# --- what changed behind a name is noticed ---------------------------------------------------------


@pytest.mark.parametrize("how", ["in place", "by renaming"])
def test_a_file_of_the_same_size_and_time_is_noticed(folder: Path, how: str) -> None:
    for seed in range(4):
        noise(seed).save(folder / f"{seed}.bmp")  # all of one size
    load(folder)
    before = (folder / "0.bmp").stat()
    changed = folder / "0.bmp" if how == "in place" else folder / "other.tmp"
    shutil.copyfile(folder / "3.bmp", changed)
    changed.replace(folder / "0.bmp")
    os.utime(folder / "0.bmp", ns=(before.st_atime_ns, before.st_mtime_ns))
    after = (folder / "0.bmp").stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    np.testing.assert_array_equal(load(folder).evaluation.pixels[0], np.asarray(noise(3)))


def test_another_decoder_decodes_anew(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(folder)
    monkeypatch.setattr("PIL.__version__", "1.1.7")
    load(folder)
    assert len(list(cache.glob("*.npy"))) == 2


class Refused:
    """Makes the system refuse to open some files, as a missing permission or a failing disk does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: dict[str, int] = {}
        really_open = Path.open

        def open_unless_refused(path: Path, *arguments: Any, **more: Any) -> Any:
            if number := self.names.get(path.name):
                raise OSError(number, os.strerror(number), str(path))
            return really_open(path, *arguments, **more)

        monkeypatch.setattr(Path, "open", open_unless_refused)


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> Refused:
    return Refused(monkeypatch)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ENOENT, errno.EMFILE])
def test_a_skip_for_a_passing_reason_is_not_remembered(folder: Path, refused: Refused, number: int) -> None:
    refused.names["1.png"] = number
    images = load(folder)
    assert [(skipped.name, skipped.why) for skipped in images.skipped] == [
        ("1.png", f"it cannot be read ({os.strerror(number)})")
    ]
    refused.names.clear()
    assert load(folder).evaluation.names == ("0.png", "1.png", "2.png")
    assert load(folder).skipped == ()


def test_memory_that_was_short_is_a_passing_reason(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def decoded(*_: object) -> NDArray[np.uint8]:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("lgq_explore.images.decoding.reduced_rgb", decoded)
        with pytest.raises(InputError, match="no memory to decode"):
            load(folder)
    assert len(load(folder).evaluation) == 3


def test_what_stays_unreadable_is_not_decoded_again_and_again(
    folder: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused.names["1.png"] = errno.EACCES
    (folder / "bad.png").write_bytes(b"no picture")
    first = load(folder)

    def decodes(*_: object) -> NDArray[np.uint8]:
        raise AssertionError("decoded again")

    monkeypatch.setattr(image_cache, "read_picture", decodes)
    assert load(folder).skipped == first.skipped


# --- what can't be searched is told ----------------------------------------------------------------


@pytest.fixture
def closed_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A subfolder with a picture that may not be listed."""
    closed = folder / "private"
    closed.mkdir()
    noise(7).save(closed / "7.png")
    really_list = os.scandir

    def list_unless_closed(path: Any) -> Any:
        if os.fspath(path) == str(closed):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(closed))
        return really_list(path)

    monkeypatch.setattr(os, "scandir", list_unless_closed)
    return closed


def test_a_subfolder_that_cannot_be_read_is_told(folder: Path, closed_folder: Path) -> None:
    for _ in range(2):  # also where the rest comes from the cache
        images = load(folder)
        assert images.evaluation.names == ("0.png", "1.png", "2.png")
        assert [(skipped.name, skipped.why) for skipped in images.skipped] == [
            ("private", "the folder cannot be read (Permission denied)")
        ]
    for file in folder.glob("*.png"):
        file.unlink()
    with pytest.raises(InputError, match="private"):
        load(folder)


def test_a_link_to_nothing_is_told(folder: Path) -> None:
    (folder / "gone.png").symlink_to(folder / "elsewhere.png")
    (skipped,) = load(folder).skipped
    assert (skipped.name, skipped.why) == ("gone.png", "it cannot be read (No such file or directory)")


HOSTILE = "\x1b[2J\x1b[31mEVIL\nsecond\u202e\udce9.png"


@pytest.mark.parametrize("spec", ["{folder}", "folder:{folder}/{name}", "folder:{folder}/{name}/x", "{name}"])
def test_messages_are_plain_lines_whatever_files_are_called(folder: Path, spec: str) -> None:
    for file in folder.iterdir():
        file.unlink()
    (folder / HOSTILE).write_bytes(b"junk")
    with pytest.raises(InputError) as refused:
        open_source(spec.format(folder=f"folder:{folder}" if spec == "{folder}" else folder, name=HOSTILE), 8)
    message = str(refused.value)
    message.encode()
    assert len(message.splitlines()) <= 2
    assert message.replace("\n", "").isprintable()
    assert "EVIL" in message
