"""Orientation of a picture, and the bytes of its file that determine its pixels.

Texts, colour profiles and EXIF of other programs are often damaged or large, and decoders that fail on them refuse
pictures with intact pixels. For JPEG and PNG, the formats of nearly all pictures, the decoder is therefore given the
pixels' bytes only, and the one tag that matters is read here.
"""

from __future__ import annotations

import io
import os
import re
import struct
import zlib
from dataclasses import dataclass
from typing import BinaryIO

# The chunks of a PNG that its pixels depend on. Without those of an animation, which are not listed, the first picture
# remains.
_PNG_CHUNKS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_PNG_TEXTS = frozenset({b"eXIf", b"iTXt", b"zTXt", b"tEXt"})
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# The markers of a JPEG that its pixels do not depend on: APP1 to APP15 and COM, without APP14 (Adobe's), which says
# how colours are stored.
_JPEG_METADATA = frozenset({*range(0xE1, 0xF0), 0xFE} - {0xEE})
_JPEG_START_OF_SCAN = 0xDA
# Texts with an orientation are shorter; more of a text is neither read nor inflated.
_LONGEST_TEXT = 1 << 20

_ORIENTATION = 0x0112
_INTEGERS = {1: "B", 3: "H", 4: "I"}  # TIFF 6.0, section 2: the numbers of BYTE, SHORT and LONG
_IN_XMP = re.compile(rb"tiff:Orientation(?:=\"|>)\s*([1-8])\b")
_RAW_PROFILE = re.compile(rb"\s*exif\s+\d+\s([0-9a-fA-F\s]*)")  # hexadecimal digits, as ImageMagick writes them


@dataclass(frozen=True, eq=False)
class PictureBytes:
    """The bytes that a decoder needs, and the EXIF and XMP that were left out (empty if there are none)."""

    stream: BinaryIO
    exif: bytes = b""
    xmp: bytes = b""


def without_metadata(file: BinaryIO) -> PictureBytes:
    """The bytes of an open JPEG or PNG that determine its pixels; other files are unchanged."""
    start = file.read(8)
    if start == _PNG_SIGNATURE:
        return _of_png(file)
    if start.startswith(b"\xff\xd8\xff"):
        file.seek(2)
        return _of_jpeg(file)
    file.seek(0)
    return PictureBytes(file)


def orientation(exif: bytes, xmp: bytes = b"") -> int:
    """The orientation of the stored picture, 1 to 8 as in EXIF (CIPA DC-008, Orientation); 1 if there is none.

    EXIF takes precedence over XMP. Only the first directory of the EXIF is read, so that damage elsewhere in it has no
    effect.
    """
    try:
        value = _orientation_of_exif(exif)
    except struct.error:  # cut off before the tag
        value = None
    if value is None and (found := _IN_XMP.search(xmp)):
        value = int(found[1])
    return value if value is not None and 1 <= value <= 8 else 1


def _orientation_of_exif(exif: bytes) -> int | None:
    while exif.startswith(b"Exif\0\0"):  # some programs write it twice
        exif = exif[6:]
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return None
    (directory,) = struct.unpack_from(f"{order}I", exif, 4)
    (entries,) = struct.unpack_from(f"{order}H", exif, directory)
    for place in range(directory + 2, directory + 2 + 12 * entries, 12):
        tag, kind = struct.unpack_from(f"{order}HH", exif, place)
        if tag == _ORIENTATION and kind in _INTEGERS:
            return int(struct.unpack_from(f"{order}{_INTEGERS[kind]}", exif, place + 8)[0])
    return None


def _of_png(file: BinaryIO) -> PictureBytes:
    kept = [_PNG_SIGNATURE]
    exif = xmp = b""
    size = os.fstat(file.fileno()).st_size
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        end = min(file.tell() + length + 4, size)  # with four bytes of checksum, but not beyond the file
        if kind in _PNG_CHUNKS:
            kept += [head, file.read(end - file.tell())]
        elif kind in _PNG_TEXTS and length <= _LONGEST_TEXT:
            content = file.read(length)
            exif = exif or (content if kind == b"eXIf" else _exif_of_text(kind, content))
            xmp = xmp or _xmp_of_text(kind, content)
        if kind == b"IEND":
            break
        file.seek(end)
    return PictureBytes(io.BytesIO(b"".join(kept)), exif, xmp)


def _exif_of_text(kind: bytes, content: bytes) -> bytes:
    keyword, _, text = content.partition(b"\0")
    if keyword not in (b"Raw profile type exif", b"Raw profile type APP1"):
        return b""
    found = _RAW_PROFILE.match(_inflated(text[1:]) if kind == b"zTXt" else text)
    digits = b"".join(found[1].split()) if found else b""
    return bytes.fromhex(digits[: len(digits) // 2 * 2].decode())


def _xmp_of_text(kind: bytes, content: bytes) -> bytes:
    keyword, _, rest = content.partition(b"\0")
    if kind != b"iTXt" or keyword != b"XML:com.adobe.xmp":
        return b""
    text = rest[2:].split(b"\0", 2)[-1]  # after the flag and method of compression, a language, and a keyword
    return _inflated(text) if rest[:1] == b"\1" else text


def _inflated(content: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(content, _LONGEST_TEXT)
    except zlib.error:
        return b""


def _of_jpeg(file: BinaryIO) -> PictureBytes:
    """Filters the segments up to the first scan; without one, the rest is left to the decoder."""
    kept = [b"\xff\xd8"]
    exif = xmp = b""
    while len(head := file.read(4)) == 4:
        fill, marker, length = struct.unpack(">BBH", head)
        if fill != 0xFF or marker == _JPEG_START_OF_SCAN or not 0xC0 <= marker <= 0xFE or length < 2:
            break
        content = file.read(length - 2)
        if marker not in _JPEG_METADATA:
            kept += [head, content]
        elif marker == 0xE1:
            exif = exif or (content if content.startswith(b"Exif\0\0") else b"")
            xmp = xmp or (content if content.startswith(b"http://ns.adobe.com/xap/") else b"")
    return PictureBytes(io.BytesIO(b"".join([*kept, head, file.read()])), exif, xmp)
