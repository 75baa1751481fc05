"""Tests of picture orientation, and of files with damaged metadata."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lgq_explore.images.decoding import UnusablePicture, read_picture
from lgq_explore.images.metadata import orientation

UPRIGHT, TURNED = (40, 64, 3), (64, 40, 3)


def entry(order: str, tag: int, kind: int, count: int, value: bytes) -> bytes:
    return struct.pack(f"{order}HHI", tag, kind, count) + value.ljust(4, b"\0")


def exif(*entries: bytes, order: str = "<", claimed: int | None = None) -> bytes:
    start = b"II*\0" if order == "<" else b"MM\0*"
    count = len(entries) if claimed is None else claimed
    return start + struct.pack(f"{order}IH", 8, count) + b"".join(entries)


TURN = entry("<", 0x0112, 3, 1, struct.pack("<H", 6))
SAYS_TURNED = {
    "plain": exif(TURN),
    "big-endian": exif(entry(">", 0x0112, 3, 1, struct.pack(">H", 6)), order=">"),
    "as a long": exif(entry("<", 0x0112, 4, 1, struct.pack("<I", 6))),
    "header twice": b"Exif\0\0" + exif(TURN),
    "a rational outside of the file": exif(TURN, entry("<", 0x011A, 5, 1, struct.pack("<I", 9999))),
    "an unknown type before it": exif(entry("<", 0x0100, 99, 1, b""), TURN),
    "a pointer to nowhere": exif(TURN, entry("<", 0x8769, 4, 1, b"\xff\xff\xff\xff")),
    "a pointer to itself": exif(TURN, entry("<", 0x8769, 4, 1, struct.pack("<I", 8))),
    "cut off behind it": exif(TURN, claimed=500),
    "an impossible count": exif(entry("<", 0x9286, 7, 0xFFFFFFFF, b"\0\0\0\0"), TURN),
}
SAYS_NOTHING = {
    "empty": b"",
    "garbage": b"no header of TIFF at all",
    "cut in its header": b"II*\0\x08",
    "cut before the tag": exif(claimed=3),
    "as text": exif(entry("<", 0x0112, 2, 2, b"6\0")),
    "99": exif(entry("<", 0x0112, 3, 1, struct.pack("<H", 99))),
    "0": exif(entry("<", 0x0112, 3, 1, struct.pack("<H", 0))),
}
XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


def chunk(kind: bytes, content: bytes) -> bytes:
    checked = kind + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))


def saved(form: str, **options: object) -> bytes:
    picture = np.random.default_rng(0).integers(0, 256, UPRIGHT, dtype=np.uint8)
    target = io.BytesIO()
    Image.fromarray(picture).save(target, form, **options)
    return target.getvalue()


def jpeg_with(*segments: tuple[int, bytes]) -> bytes:
    plain = saved("JPEG")
    marked = [struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content for marker, content in segments]
    return plain[:2] + b"".join(marked) + plain[2:]


def png_with(*chunks: bytes, at_the_end: bool = False) -> bytes:
    plain = saved("PNG")
    place = -12 if at_the_end else 33  # before IEND, or after IHDR
    return plain[:place] + b"".join(chunks) + plain[place:]


def shape_of(path: Path, content: bytes) -> tuple[int, ...]:
    path.write_bytes(content)
    return read_picture(path, 256, 16).shape


@pytest.mark.parametrize("said", [*SAYS_TURNED, *SAYS_NOTHING])
def test_damaged_exif_costs_no_pixels_and_is_heeded_where_it_can_be_read(tmp_path: Path, said: str) -> None:
    content, expected = (SAYS_TURNED[said], TURNED) if said in SAYS_TURNED else (SAYS_NOTHING[said], UPRIGHT)
    assert orientation(content) == (6 if expected == TURNED else 1)
    assert shape_of(tmp_path / "a.jpg", jpeg_with((0xE1, b"Exif\0\0" + content))) == expected
    assert shape_of(tmp_path / "a.png", png_with(chunk(b"eXIf", content))) == expected
    assert shape_of(tmp_path / "a.png", png_with(chunk(b"eXIf", content), at_the_end=True)) == expected
    assert shape_of(tmp_path / "a.webp", saved("WEBP", exif=content or b"\0")) == expected


def test_orientation_is_found_where_programs_put_it(tmp_path: Path) -> None:
    assert shape_of(tmp_path / "a.jpg", jpeg_with((0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP))) == TURNED
    compressed = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(XMP)
    for text in (b"XML:com.adobe.xmp\0\0\0\0\0" + XMP, compressed):
        assert shape_of(tmp_path / "a.png", png_with(chunk(b"iTXt", text))) == TURNED
    profile = SAYS_TURNED["header twice"]
    digits = b"\nexif\n%8d\n%s\n" % (len(profile), profile.hex().encode())
    for kind, text in ((b"tEXt", digits), (b"zTXt", b"\0" + zlib.compress(digits))):
        assert shape_of(tmp_path / "a.png", png_with(chunk(kind, b"Raw profile type exif\0" + text))) == TURNED
    upright = exif(entry("<", 0x0112, 3, 1, struct.pack("<H", 1)))
    both = (0xE1, b"Exif\0\0" + upright), (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP)
    assert shape_of(tmp_path / "a.jpg", jpeg_with(*both)) == UPRIGHT  # EXIF decides


@pytest.mark.parametrize("value", range(1, 9))
def test_all_eight_orientations_come_out_upright(tmp_path: Path, value: int) -> None:
    stored = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 64), dtype=np.uint8)).convert("RGB")
    tag = Image.Exif()
    tag[0x0112] = value
    stored.save(tmp_path / "a.png", exif=tag)
    across, down = stored.size
    pixels = np.asarray(stored)
    corners = {1: (0, 0), 2: (0, across - 1), 3: (down - 1, across - 1), 4: (down - 1, 0)}
    corners |= {5: (0, 0), 6: (down - 1, 0), 7: (down - 1, across - 1), 8: (0, across - 1)}
    upright = read_picture(tmp_path / "a.png", 256, 16)
    assert upright.shape[:2] == ((down, across) if value < 5 else (across, down))
    assert upright[0, 0].tolist() == pixels[corners[value]].tolist()


LARGE = zlib.compress(bytes(3_000_000))
PNG_METADATA = {
    "a profile of 3 MB": chunk(b"iCCP", b"printer\0\0" + LARGE),
    "a text of 3 MB": chunk(b"zTXt", b"workflow\0\0" + LARGE),
    "an international text of 3 MB": chunk(b"iTXt", b"workflow\0\1\0\0\0" + LARGE),
    "plain text of 3 MB": chunk(b"tEXt", b"workflow\0" + bytes(3_000_000)),
    "XMP of 3 MB": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + LARGE),
    "sixty-five texts of 1 MB": chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1 << 20))) * 65,
    "a profile packed in an unknown way": chunk(b"iCCP", b"odd\0\7garbage"),
    "a text packed in an unknown way": chunk(b"zTXt", b"odd\0\7garbage"),
    "digits that are none": chunk(b"tEXt", b"Raw profile type exif\0\nexif\n 5\n123"),
    "a text with a wrong checksum": chunk(b"tEXt", b"a\0b")[:-4] + b"\0\0\0\0",
    "an animation of frames that are missing": chunk(b"acTL", struct.pack(">II", 0, 0)) + chunk(b"fcTL", b"cut"),
}


@pytest.mark.parametrize("what", PNG_METADATA)
def test_texts_and_profiles_of_a_png_cost_no_pixels(tmp_path: Path, what: str) -> None:
    assert shape_of(tmp_path / "a.png", png_with(PNG_METADATA[what])) == UPRIGHT


def test_segments_of_a_jpeg_cost_no_pixels(tmp_path: Path) -> None:
    odd = (0xE2, b"MPF\0garbage"), (0xE2, b"ICC_PROFILE\0\7\3cut"), (0xED, b"Photoshop 3.0\0cut"), (0xFE, b"\xff" * 50)
    assert shape_of(tmp_path / "a.jpg", jpeg_with(*odd)) == UPRIGHT


def test_what_is_left_out_changes_no_pixel(tmp_path: Path) -> None:
    """JPEG of four colours says in a segment of Adobe's how they are stored."""
    for mode in ("RGB", "L", "CMYK"):
        target = io.BytesIO()
        gradient = np.mgrid[:40, :64].sum(0).astype(np.uint8) * 2
        Image.fromarray(gradient).convert("RGB").convert(mode).save(
            target, "JPEG", exif=b"Exif\0\0" + exif(), comment="c"
        )
        (tmp_path / "a.jpg").write_bytes(target.getvalue())
        with Image.open(tmp_path / "a.jpg") as image:
            np.testing.assert_array_equal(read_picture(tmp_path / "a.jpg", 256, 16), np.asarray(image.convert("RGB")))


def test_cut_files_are_refused_wherever_they_end(tmp_path: Path) -> None:
    wholes = {"a.jpg": jpeg_with((0xE1, b"Exif\0\0" + exif(TURN))), "a.png": png_with(chunk(b"tEXt", b"a\0b"))}
    for name, whole in wholes.items():
        for end in [*range(0, 120, 7), len(whole) // 2, len(whole) * 9 // 10]:
            with pytest.raises(UnusablePicture):
                shape_of(tmp_path / name, whole[:end])
