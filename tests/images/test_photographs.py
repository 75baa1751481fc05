"""Tests of photographs: decoding, splits, caching, and unusable files."""

from __future__ import annotations

import json
import os
import shutil
import struct
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lgq_explore.errors import InputError
from lgq_explore.images import cache as image_cache
from lgq_explore.images.opening import open_source
from lgq_explore.images.photographs import PhotographSource
from lgq_explore.images.splits import group_of, held_out_groups
from tests.images.planted import noise

RED, WHITE = (255, 0, 0), (255, 255, 255)
ORIENTATION = 0x0112  # EXIF tag


def load(folder: Path, image_size: int = 16) -> PhotographSource:
    return open_source(f"folder:{folder}", image_size, split=False)


def only_picture(folder: Path, image_size: int = 16) -> NDArray[np.uint8]:
    """The pixels of a folder's one usable picture."""
    (pixels,) = load(folder, image_size).evaluation.pixels
    return pixels


# --- files become 8-bit RGB ------------------------------------------------------------------------


def transparent_palette() -> Image.Image:
    image = Image.new("P", (20, 20), 0)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.paste(1, (10, 0, 20, 20))
    image.info["transparency"] = 1
    return image


def half_transparent_red() -> Image.Image:
    return Image.new("RGBA", (20, 20), (255, 0, 0, 128))


@pytest.mark.parametrize(
    ("file", "image", "expected"),
    [
        ("grey.png", lambda: Image.new("L", (20, 20), 70), (70, 70, 70)),
        ("bilevel.png", lambda: Image.new("1", (20, 20), 1), WHITE),
        ("rgba.png", half_transparent_red, (255, 127, 127)),
        ("rgba.webp", half_transparent_red, (255, 127, 127)),
        ("grey-alpha.png", lambda: Image.new("LA", (20, 20), (0, 0)), WHITE),
        ("palette.png", lambda: Image.new("RGB", (20, 20), RED).convert("P"), RED),
        ("cmyk.jpg", lambda: Image.new("CMYK", (20, 20), (0, 255, 255, 0)), (254, 0, 0)),
        ("cmyk.tif", lambda: Image.new("CMYK", (20, 20), (0, 255, 255, 0)), RED),
        ("grey16.png", lambda: Image.fromarray(np.full((20, 20), 100 * 257, np.uint16)), (100, 100, 100)),
        ("grey16.tif", lambda: Image.fromarray(np.full((20, 20), 200 * 257, np.uint16)), (200, 200, 200)),
        ("upper.JPEG", lambda: Image.new("RGB", (20, 20), (90, 90, 90)), (90, 90, 90)),
    ],
)
def test_every_kind_of_file_becomes_rgb(
    folder: Path, file: str, image: Callable[[], Image.Image], expected: tuple[int, int, int]
) -> None:
    image().save(folder / file, lossless=True)  # heeded by WebP alone
    pixels = only_picture(folder)
    assert pixels.dtype == np.uint8
    assert pixels.shape == (20, 20, 3)
    assert np.abs(pixels.astype(int) - expected).max() <= 1


def test_transparent_palette_entries_lie_on_white(folder: Path) -> None:
    transparent_palette().save(folder / "palette.png", transparency=1)
    pixels = only_picture(folder)
    assert tuple(pixels[5, 5]) == RED
    assert tuple(pixels[5, 15]) == WHITE


def test_16_bit_values_are_scaled_over_their_whole_range(folder: Path) -> None:
    ramp = np.linspace(0, 65535, 32 * 32).astype(np.uint16).reshape(32, 32)
    Image.fromarray(ramp).save(folder / "ramp.png")
    np.testing.assert_allclose(only_picture(folder)[..., 0], ramp / 257, atol=0.51)


def test_16_bit_colour_is_scaled_and_not_clipped(folder: Path) -> None:
    # Written by hand, because Pillow writes no 16-bit RGB.
    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    row = b"\0" + struct.pack(">HHH", 10 * 257, 100 * 257, 250 * 257) * 20
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 20, 20, 16, 2, 0, 0, 0))
    body = header + chunk(b"IDAT", zlib.compress(row * 20)) + chunk(b"IEND", b"")
    (folder / "colour16.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    assert np.unique(only_picture(folder).reshape(-1, 3), axis=0).tolist() == [[10, 100, 250]]


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_exif_orientation_is_applied(folder: Path, suffix: str) -> None:
    image = Image.new("RGB", (64, 40))
    image.paste(WHITE, (0, 0, 32, 20))  # white top left; turned by 90° clockwise it is top right
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    image.save(folder / f"turned.{suffix}", exif=exif)
    pixels = only_picture(folder)
    assert pixels.shape == (64, 40, 3)
    assert pixels[8, 32].min() > 250
    assert pixels[8, 8].max() < 5
    assert pixels[56, 32].max() < 5


def test_of_several_frames_the_first_is_taken(folder: Path) -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "lime", "blue")]
    for file in ("animation.gif", "pages.tif", "animation.png"):
        frames[0].save(folder / file, save_all=True, append_images=frames[1:])
    for pixels in load(folder).evaluation.pixels:
        assert np.unique(pixels.reshape(-1, 3), axis=0).tolist() == [list(RED)]


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_large_pictures_are_reduced_without_aliasing(folder: Path, suffix: str) -> None:
    # A checkerboard of single pixels beside white: true averages are 127.5 and 255, aliased ones 0 and 255.
    rows, columns = np.mgrid[:1200, :1600]
    board = np.where(columns < 800, (rows + columns) % 2 * 255, 255).astype(np.uint8)
    Image.fromarray(board).convert("RGB").save(folder / f"board.{suffix}", quality=95)
    pixels = only_picture(folder, image_size=16)
    assert pixels.shape == (128, 171, 3)
    np.testing.assert_allclose(pixels[8:-8, 8:78], 127.5, atol=3)
    np.testing.assert_allclose(pixels[8:-8, 94:-8], 255, atol=1)


def test_a_picture_is_never_enlarged(folder: Path) -> None:
    image = noise(0, height=40, width=90)
    image.save(folder / "small.png")
    np.testing.assert_array_equal(only_picture(folder, image_size=16), np.asarray(image))


# --- files that cannot be used are named -----------------------------------------------------------


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def test_unusable_files_are_skipped_with_their_reason(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise(1).save(folder / "good.png")
    noise(2, height=15, width=200).save(folder / "narrow.png")
    for file in ("cut.jpg", "cut.png", "cut.gif", "cut.webp"):
        noise(3, 80, 80).save(folder / file)
        truncate(folder / file)
    (folder / "empty.jpg").touch()
    (folder / "text.png").write_text("no picture")
    (folder / "phone.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    Image.fromarray(np.ones((20, 20), np.float32)).save(folder / "float.tif")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5000)
    noise(4, 101, 100).save(folder / "bomb.png")
    noise(5, 80, 100).save(folder / "warned.png")  # between once and twice the limit Pillow only warns

    images = load(folder)
    assert images.evaluation.names == ("good.png", "warned.png")
    reasons = {skipped.name: skipped.why for skipped in images.skipped}
    assert reasons.pop("narrow.png") == "its shorter side is 15 pixels, below 16"
    assert reasons.pop("empty.jpg") == "it is empty"
    assert reasons.pop("text.png") == "it is not an image"
    assert "convert it to JPEG or PNG" in reasons.pop("phone.HEIC")
    assert "floating-point" in reasons.pop("float.tif")
    assert "too large to decode safely" in reasons.pop("bomb.png")
    assert sorted(reasons) == ["cut.gif", "cut.jpg", "cut.png", "cut.webp"]
    assert reasons["cut.jpg"] == reasons["cut.png"] == "it cannot be decoded: the file is cut off"
    assert all("\n" not in why and str(folder) not in why for why in reasons.values())


def test_what_a_decoder_says_is_told_in_plain_words(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise(0).save(folder / "good.png")
    noise(1).save(folder / "damaged.png")
    data = bytearray((folder / "damaged.png").read_bytes())
    begin = data.index(b"IDAT") + 4
    data[begin : begin + 40] = bytes(40)
    (folder / "damaged.png").write_bytes(data)
    noise(2).save(folder / "header.png")
    (folder / "header.png").write_bytes((folder / "header.png").read_bytes()[:20])
    reasons = {skipped.name: skipped.why for skipped in load(folder).skipped}
    assert reasons["damaged.png"] == "it cannot be decoded: its data are damaged"
    assert reasons["header.png"] == "it cannot be decoded: the file is cut off"


def test_what_is_hidden_or_no_picture_is_passed_over(folder: Path) -> None:
    noise(0).save(folder / "seen.png")
    (folder / "notes.txt").write_text("about the pictures")
    (folder / "._seen.png").write_bytes(b"what macOS leaves beside files")
    (folder / ".thumbnails").mkdir()
    noise(1).save(folder / ".thumbnails" / "seen.png")
    images = load(folder)
    assert images.evaluation.names == ("seen.png",)
    assert images.skipped == ()


def test_subfolders_and_links_are_searched_once(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "deep").mkdir(parents=True)
    noise(0).save(elsewhere / "deep" / "far.png")
    noise(1).save(folder / "near.png")
    (folder / "a-link.png").symlink_to(folder / "near.png")
    (folder / "linked").symlink_to(elsewhere)
    (elsewhere / "loop").symlink_to(folder)
    assert load(folder).evaluation.names == ("linked/deep/far.png", "near.png")


def test_a_split_needs_two_pictures_and_encoding_needs_one(folder: Path) -> None:
    noise(0).save(folder / "lake_1920x1080.png")
    noise(0).save(folder / "lake-dark.png")
    with pytest.raises(InputError, match=r"one picture in 2 files, lake-dark\.png"):
        open_source(f"folder:{folder}", 16)
    unsplit = open_source(f"folder:{folder}", 16, split=False)
    assert len(unsplit.training) == 0
    assert len(unsplit.evaluation) == 2


# --- splits ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "versions",
    [
        ["lake.jpg", "lake_1920x1080.jpg", "lake-1080p.png", "lake@2x.png", "Lake (800x600).JPG"],
        ["lake.png", "lake-dark.png", "lake_light.png", "lake-l.jpg", "lake-d.jpg", "lake-dark_800x600.png"],
        ["lake_thumb.jpg", "lake-portrait.jpg", "lake.landscape.jpg", "lake_left.png", "lake_right.png"],
        ["4k/lake.jpg", "1920x1080/lake.jpg", "dark/lake.jpg", "lake.jpg"],
        ["L/contents/images/800x600.png", "L/contents/images/1080x1920.png", "L/contents/screenshot.png"],
        ["a/Lake/contents/images/800x600.png", "a/Lake/contents/images_dark/800x600.png", "a/lake-d.png"],
        ["contents/images/800x600.png", "contents/images_dark/1080x1920.png"],
    ],
)  # fmt: skip
def test_versions_of_one_picture_are_one_group(versions: list[str]) -> None:
    assert len({group_of(name) for name in versions}) == 1


@pytest.mark.parametrize(
    "pictures",
    [
        ["a.jpg", "b.jpg", "c.jpg"],
        ["IMG_1080.jpg", "IMG_1920.jpg", "IMG_0720.jpg"],
        ["1080.jpg", "720.jpg", "1920x1080.jpg", "dark.jpg", "light.jpg"],
        ["cats/001.jpg", "dogs/001.jpg"],
        ["tile_10x12.png", "tile_10x13.png"],
        ["moon.jpg", "moonlight.jpg"],
        ["contents/images/lake.jpg", "contents/images/hill.jpg"],
        ["Lake/contents/images/800x600.png", "Hill/contents/images/800x600.png"],
    ],
)
def test_different_pictures_are_different_groups(pictures: list[str]) -> None:
    assert len({group_of(name) for name in pictures}) == len(pictures)


@pytest.mark.parametrize(("groups", "held_out"), [(0, 0), (1, 0), (2, 1), (3, 1), (8, 2), (10, 3), (1000, 250)])
def test_a_quarter_is_held_out_and_something_is_left(groups: int, held_out: int) -> None:
    assert len(held_out_groups(str(group) for group in range(groups))) == held_out


def test_held_out_pictures_depend_on_names_alone() -> None:
    names = [f"picture-{number}" for number in range(40)]
    held_out = held_out_groups(names)
    assert held_out_groups(reversed(names)) == held_out
    for added in range(20):
        assert len(held_out - held_out_groups([*names, f"new-{added}"])) <= 1


def test_no_picture_is_on_both_sides_of_a_split(folder: Path, tmp_path: Path) -> None:
    for number in range(8):
        for version in ("", "-dark", "_800x600"):
            noise(number).save(folder / f"picture{number}{version}.png")
    images = open_source(f"folder:{folder}", 16)
    assert set(images.training.groups).isdisjoint(images.evaluation.groups)
    assert (len(images.training), len(images.evaluation)) == (18, 6)
    assert load(folder).evaluation.names == tuple(sorted(path.name for path in folder.iterdir()))

    moved = shutil.copytree(folder, tmp_path / "elsewhere")
    again = open_source(f"folder:{moved}", 16)
    assert again.evaluation.names == images.evaluation.names
    assert again.identity == images.identity


def test_fingerprint_tells_data_apart(folder: Path) -> None:
    for seed in range(3):
        noise(seed).save(folder / f"{seed}.png")
    fingerprints = [open_source(f"folder:{folder}", 16).identity, load(folder).identity]
    (folder / "2.png").rename(folder / "3.png")
    fingerprints.append(load(folder).identity)
    noise(7).save(folder / "3.png")
    fingerprints.append(load(folder).identity)
    assert len(set(fingerprints)) == 4
    assert all(len(fingerprint) == 64 for fingerprint in fingerprints)


# --- the cache -------------------------------------------------------------------------------------


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are decoded, as it happens."""
    names: list[str] = []
    read = image_cache.read_picture

    def recorded(path: Path, *sides: int) -> NDArray[np.uint8]:
        names.append(path.name)
        return read(path, *sides)

    monkeypatch.setattr(image_cache, "read_picture", recorded)
    return names


def test_a_second_load_decodes_nothing(folder: Path, data: Path, decoded: list[str]) -> None:
    noise(0).save(folder / "a.png")
    (folder / "bad.png").write_text("no picture")
    first = load(folder)
    assert sorted(decoded) == ["a.png", "bad.png"]
    decoded.clear()
    second = load(folder)
    assert decoded == []
    assert second.skipped == first.skipped
    assert second.identity == first.identity
    np.testing.assert_array_equal(second.evaluation.pixels[0], np.asarray(noise(0)))
    assert not second.evaluation.pixels[0].flags.writeable
    assert sorted(path.suffix for path in (data / "images").iterdir()) == [".json", ".npy"]
    load(folder, image_size=8)
    assert sorted(decoded) == ["a.png", "bad.png"]


def test_changed_added_and_removed_files_are_noticed(folder: Path, decoded: list[str]) -> None:
    noise(0).save(folder / "a.png")
    load(folder)
    noise(1).save(folder / "a.png")
    os.utime(folder / "a.png", (1, 1))  # of the same size, and seen by its time
    np.testing.assert_array_equal(only_picture(folder), np.asarray(noise(1)))
    noise(1, height=50).save(folder / "a.png")
    os.utime(folder / "a.png", (1, 1))  # of the same time, and seen by its size
    np.testing.assert_array_equal(only_picture(folder), np.asarray(noise(1, height=50)))
    noise(2).save(folder / "b.png")
    assert load(folder).evaluation.names == ("a.png", "b.png")
    (folder / "a.png").unlink()
    assert load(folder).evaluation.names == ("b.png",)


@pytest.mark.parametrize(
    ("suffix", "damage"),
    [("json", "cut"), ("json", "gone"), ("npy", "cut"), ("npy", "gone"), ("npy", "of other pictures")],
)
def test_a_damaged_cache_is_made_anew(folder: Path, data: Path, suffix: str, damage: str) -> None:
    noise(0).save(folder / "a.png")
    load(folder)
    (victim,) = (data / "images").glob(f"*.{suffix}")
    if damage == "gone":
        victim.unlink()
    elif damage == "of other pictures":
        np.save(victim, np.zeros(10, dtype=np.uint8))
    else:
        truncate(victim)
    np.testing.assert_array_equal(only_picture(folder), np.asarray(noise(0)))


def test_an_interrupted_preparation_leaves_nothing(folder: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise(0).save(folder / "a.png")

    def interrupted(*_: object) -> NDArray[np.uint8]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(image_cache, "read_picture", interrupted)
        with pytest.raises(KeyboardInterrupt):
            load(folder)
    assert list((data / "images").iterdir()) == []
    assert len(load(folder).evaluation) == 1


def test_preparing_the_same_pictures_at_once_gives_each_the_whole(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(6):
        noise(seed).save(folder / f"{seed}.png")
    both_decode = threading.Barrier(2)
    read_entry = image_cache._read_entry
    loaded: list[PhotographSource] = []

    def nothing_cached_yet(where: Path, entry: str) -> image_cache.PreparedPictures | None:
        cached = read_entry(where, entry)
        if cached is None:
            both_decode.wait(timeout=30)
        return cached

    monkeypatch.setattr(image_cache, "_read_entry", nothing_cached_yet)
    threads = [threading.Thread(target=lambda: loaded.append(load(folder))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loaded) == 2
    for images in loaded:
        for seed, pixels in enumerate(images.evaluation.pixels):
            np.testing.assert_array_equal(pixels, np.asarray(noise(seed)))


def test_a_data_directory_that_cannot_be_written_is_named(folder: Path, data: Path) -> None:
    noise(0).save(folder / "a.png")
    data.write_text("a file where the folder should be")
    with pytest.raises(InputError, match="LGQ_EXPLORE_DATA") as refused:
        load(folder)
    assert str(data) in str(refused.value)


def test_the_cache_is_plain_data(folder: Path, data: Path) -> None:
    for seed in range(3):
        noise(seed).save(folder / f"{seed}.png")
    load(folder)
    (index,), (blob,) = (list((data / "images").glob(pattern)) for pattern in ("*.json", "*.npy"))
    assert [picture["name"] for picture in json.loads(index.read_text())["pictures"]] == [
        "0.png",
        "1.png",
        "2.png",
    ]
    expected = np.concatenate([np.asarray(noise(seed)).ravel() for seed in range(3)])
    np.testing.assert_array_equal(np.load(blob, allow_pickle=False), expected)


def test_many_files_show_progress_on_stderr(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(51):
        Image.new("L", (16, 16)).save(folder / f"{number}.png")
    load(folder)
    printed = capsys.readouterr()
    assert "51/51" in printed.err
    assert printed.out == ""
