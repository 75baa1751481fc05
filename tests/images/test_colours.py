"""Tests of the conversion of deep, inverted and transparent pictures, and of its memory."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lgq_explore.images.decoding import UnusablePicture, read_picture

SIDE = 40
GREY, RGB, GREY_ALPHA, RGBA = 0, 2, 4, 6  # colour types of PNG
WHITE = (255, 255, 255)


def chunk(kind: bytes, content: bytes) -> bytes:
    checked = kind + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))


def png(bits: int, colour: int, row: bytes, *, transparent: bytes = b"", interlaced: bool = False) -> bytes:
    """A PNG of SIDE equal rows."""
    rows = (b"\0" + row) * SIDE
    if interlaced:  # Adam7 of one colour: the first pixels of the row serve for all passes
        across_down = ((8, 8, 0, 0), (8, 8, 4, 0), (4, 8, 0, 4), (4, 4, 2, 0), (2, 4, 0, 2), (2, 2, 1, 0), (1, 2, 0, 1))
        pixel = len(row) // SIDE
        counts = [((SIDE - x + w - 1) // w, (SIDE - y + h - 1) // h) for w, h, x, y in across_down]
        rows = b"".join((b"\0" + row[: across * pixel]) * down for across, down in counts)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, bits, colour, 0, 0, interlaced))
    transparency = chunk(b"tRNS", transparent) if transparent else b""
    body = header + transparency + chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def tiff(bits: int, photometric: int, values: bytes, *, deflated: bool = False, sample_format: int = 1) -> bytes:
    data = zlib.compress(values) if deflated else values
    tags = {256: SIDE, 257: SIDE, 258: bits, 259: 8 if deflated else 1, 262: photometric, 273: 8, 277: 1, 278: SIDE}
    tags |= {279: len(data), 339: sample_format}
    entries = b"".join(struct.pack("<HHII", tag, 4 if tag in (273, 279) else 3, 1, tags[tag]) for tag in sorted(tags))
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + struct.pack("<H", len(tags)) + entries + bytes(4)


def colours(path: Path, content: bytes) -> list[list[int]]:
    """The colours of the picture that these bytes are."""
    path.write_bytes(content)
    found: list[list[int]] = np.unique(read_picture(path, 256, 16).reshape(-1, 3), axis=0).tolist()
    return found


def twelve_bits(value: int) -> bytes:
    return bytes([value >> 4, (value & 15) << 4 | value >> 8, value & 255]) * (SIDE * SIDE // 2)


@pytest.mark.parametrize("deflated", [False, True])
@pytest.mark.parametrize(
    ("bits", "white_is_zero", "values", "level"),
    [
        (12, False, twelve_bits(4095), 255),
        (12, False, twelve_bits(2056), 128),
        (12, False, twelve_bits(0), 0),
        (16, False, struct.pack("<H", 100 * 257) * SIDE**2, 100),
        (16, True, struct.pack("<H", 0) * SIDE**2, 255),
        (16, True, struct.pack("<H", 100 * 257) * SIDE**2, 155),
        (8, True, bytes([100]) * SIDE**2, 155),
        (8, False, bytes([100]) * SIDE**2, 100),
    ],
)
def test_tiff_is_scaled_from_its_own_depth_and_white(
    tmp_path: Path, bits: int, white_is_zero: bool, values: bytes, level: int, deflated: bool
) -> None:
    content = tiff(bits, 0 if white_is_zero else 1, values, deflated=deflated)
    assert colours(tmp_path / "a.tif", content) == [[level] * 3]


@pytest.mark.parametrize(("bits", "sample_format"), [(16, 2), (32, 1), (32, 2), (32, 3)])
def test_tiff_of_values_without_a_range_is_refused(tmp_path: Path, bits: int, sample_format: int) -> None:
    (tmp_path / "a.tif").write_bytes(tiff(bits, 1, bytes([1]) * (SIDE**2 * bits // 8), sample_format=sample_format))
    with pytest.raises(UnusablePicture, match="no range to scale from"):
        read_picture(tmp_path / "a.tif", 64, 16)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(
    ("colour", "pixel", "transparent", "expected"),
    [
        (GREY, (0x1234,), (0x1234,), WHITE),
        (GREY, (0x1234,), (0x1235,), (0x12,) * 3),
        (GREY, (0,), (0,), WHITE),
        (RGB, (0x1234, 0x5678, 0x9ABC), (0x1234, 0x5678, 0x9ABC), WHITE),
        (RGB, (0x1234, 0x5678, 0x9ABC), (0x1234, 0x5678, 0x9ABD), (0x12, 0x56, 0x9A)),
        (RGB, (0x1234, 0x5678, 0x9ABC), (0x1334, 0x5678, 0x9ABC), (0x12, 0x56, 0x9A)),
        (RGB, (0x0000, 0x0101, 0xFFFF), (), (0, 1, 255)),
        (GREY_ALPHA, (0, 0), (), WHITE),
        (GREY_ALPHA, (0, 0x8080), (), (127,) * 3),
        (RGBA, (0xFFFF, 0, 0, 0x8080), (), (255, 127, 127)),
    ],
)
def test_16_bit_png_lies_on_white_by_all_of_its_bits(
    tmp_path: Path,
    colour: int,
    pixel: tuple[int, ...],
    transparent: tuple[int, ...],
    expected: tuple[int, int, int],
    interlaced: bool,
) -> None:
    row = struct.pack(f">{len(pixel)}H", *pixel) * SIDE
    content = png(
        16, colour, row, transparent=struct.pack(f">{len(transparent)}H", *transparent), interlaced=interlaced
    )
    (found,) = colours(tmp_path / "a.png", content)
    assert np.abs(np.subtract(found, expected)).max() <= 1


@pytest.mark.parametrize(("bits", "stored", "grey"), [(1, 1, 255), (2, 2, 170), (4, 9, 153), (8, 77, 77)])
def test_transparent_grey_is_of_the_depth_of_the_file(tmp_path: Path, bits: int, stored: int, grey: int) -> None:
    byte = sum(stored << place for place in range(0, 8, bits))
    row = bytes([byte]) * (SIDE * bits // 8)
    assert colours(tmp_path / "a.png", png(bits, GREY, row)) == [[grey] * 3]
    clear = png(bits, GREY, row, transparent=struct.pack(">H", stored))
    assert colours(tmp_path / "a.png", clear) == [list(WHITE)]
    other = png(bits, GREY, row, transparent=struct.pack(">H", stored ^ 1))
    assert colours(tmp_path / "a.png", other) == [[grey] * 3]


def at_once(path: Path, side: int) -> NDArray[np.uint8]:
    """The picture converted and resized as a whole by Pillow: what strips have to give."""
    with Image.open(path) as image:
        whole = image.convert("RGBA")
        rgb = Image.alpha_composite(Image.new("RGBA", image.size, "white"), whole).convert("RGB")
    scale = side / min(rgb.size)
    size = tuple(max(side, round(length * scale)) for length in rgb.size)
    return np.asarray(rgb.resize((size[0], size[1]), Image.Resampling.LANCZOS, reducing_gap=3.0))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "CMYK", "1"])
@pytest.mark.parametrize(("width", "height"), [(331, 257), (130, 1003)])
def test_strips_give_what_the_whole_picture_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, width: int, height: int
) -> None:
    monkeypatch.setattr("lgq_explore.images.colours._STRIP_PIXELS", 2500)
    values = np.random.default_rng(0).integers(0, 256, (height, width, 4), dtype=np.uint8)
    path = tmp_path / "a.tif"
    Image.fromarray(values).convert(mode if mode != "CMYK" else "RGB").convert(mode).save(path)
    for side in (16, 100, 5000):
        np.testing.assert_array_equal(read_picture(path, side, 16), at_once(path, min(side, width, height)))


@pytest.mark.slow
def test_pictures_below_the_size_limit_take_bounded_memory(tmp_path: Path) -> None:
    """Four pictures of 177 megapixels of 16 bits (6 MB of files) at once: 350 MB for each that is decoded."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    row = b"\0" + bytes(2 * 13_300)
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(row) for _ in range(13_300)) + packer.flush()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 13_300, 13_300, 16, GREY, 0, 0, 0))
    for name in "abcd":
        content = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
        (folder / f"{name}.png").write_bytes(content)
    code = (
        "import os, resource, sys; os.environ['LGQ_EXPLORE_DATA'] = sys.argv[2]\n"
        "from lgq_explore.images.opening import open_source\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "assert open_source(sys.argv[1], 8, split=False).counts.held_out == 4\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)"
    )
    command = [sys.executable, "-W", "error", "-c", code, f"folder:{folder}", str(tmp_path / "data")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 1024
    assert done.stderr == ""
