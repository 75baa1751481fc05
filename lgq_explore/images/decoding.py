"""Decoding of picture files to 8-bit RGB of a given size."""

from __future__ import annotations

import os
import struct
from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from .colours import UnusablePicture, reduced_rgb
from .finding import FOREIGN_SUFFIXES
from .metadata import PictureBytes, orientation, without_metadata

__all__ = ["LargePicture", "UnusablePicture", "picture_formats", "pixels_to_decode", "read_picture"]

# fmt: off
# Listed, because Pillow would otherwise try all of its formats, including EPS, which starts Ghostscript.
_FORMATS = (
    "JPEG", "MPO", "PNG", "WEBP", "AVIF", "GIF", "BMP", "DIB", "TIFF", "TGA", "QOI", "PPM", "JPEG2000",
)
# fmt: on
# Decoders have no special exceptions for these cases; their messages contain one of these words.
_WORDS_OF_A_CUT = ("truncated", "eof", "end of file", "incomplete", "not enough", "too short")
_WORDS_OF_AN_UNKNOWN_KIND = ("unsupported", "not supported", "not available", "not implemented", "unknown")
# JPEG's own scaling by 1/2, 1/4 or 1/8 is coarse: it stops at this many times the wanted size, before the filter.
_REDUCING_GAP = 3.0


_TURNED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class LargePicture(Exception):
    """A picture with more pixels than may be decoded now."""


def read_picture(
    path: Path, shorter_side: int, smallest_side: int, *, most_pixels: int | None = None
) -> NDArray[np.uint8]:
    """The picture in `path`, upright, its shorter side resized to `shorter_side` pixels: uint8 [H, W, 3].

    A smaller picture is not enlarged. Transparency becomes white, 10 to 16 bits are scaled to 8, only the first of
    several frames is read, and colour profiles are not applied. The orientation is read from EXIF or XMP; damage
    elsewhere in them, and in texts and profiles, is ignored.

    Raises:
        UnusablePicture: the file cannot be read or not be decoded completely, or its shorter side is below
            `smallest_side` pixels.
        LargePicture: it has more than `most_pixels` pixels in the file.
    """
    if path.suffix.lower() in FOREIGN_SUFFIXES:
        raise UnusablePicture(f"{path.suffix[1:].upper()} is not read here, convert it to JPEG or PNG")
    try:
        with path.open("rb") as file:
            return _prepared(file, shorter_side, smallest_side, most_pixels)
    except (UnusablePicture, LargePicture):
        raise
    except UnidentifiedImageError:
        raise UnusablePicture("it is not an image") from None
    except MemoryError as error:
        raise UnusablePicture("there was no memory to decode it", passing=True) from error
    except Exception as error:  # parsers raise nearly any exception on a damaged file
        if isinstance(error, OSError) and error.errno is not None:  # those of decoders have no number
            raise UnusablePicture(f"it cannot be read ({error.strerror})", passing=True) from error
        raise UnusablePicture(f"it cannot be decoded: {_plain_cause(error)}") from error


def _plain_cause(error: Exception) -> str:
    """The meaning of a decoder's exception in plain words."""
    said = str(error).lower()
    if isinstance(error, EOFError) or any(word in said for word in _WORDS_OF_A_CUT):
        return "the file is cut off"
    if any(word in said for word in _WORDS_OF_AN_UNKNOWN_KIND):
        return "it is of a kind that is not read here, convert it to JPEG or PNG"
    return "its data are damaged"


def pixels_to_decode(path: Path) -> int:
    """The number of pixels in the file according to its header; 0 if unknown."""
    try:
        with path.open("rb") as file, _opened(without_metadata(file).stream) as image:
            return image.width * image.height
    except Exception:  # reading the picture will report it
        return 0


@cache
def picture_formats() -> tuple[str, ...]:
    """The formats that this Pillow was built with."""
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _prepared(file: BinaryIO, shorter_side: int, smallest_side: int, most_pixels: int | None) -> NDArray[np.uint8]:
    parts = without_metadata(file)
    if not os.fstat(file.fileno()).st_size:
        raise UnusablePicture("it is empty")
    with _opened(parts.stream) as image:
        narrower, pixels, limit = min(image.size), image.width * image.height, Image.MAX_IMAGE_PIXELS
        if limit is not None and pixels > 2 * limit:
            raise UnusablePicture(f"it is too large to decode safely ({pixels} pixels, more than {2 * limit})")
        if narrower < smallest_side:
            raise UnusablePicture(f"its shorter side is {narrower} pixels, below {smallest_side}")
        if most_pixels is not None and pixels > most_pixels:
            raise LargePicture
        scale = min(1.0, _REDUCING_GAP * shorter_side / narrower)
        image.draft(None, (round(image.width * scale), round(image.height * scale)))
        turned = _TURNED.get(_orientation_of(parts, image))
        stored = image.tile[0][3] if image.tile else None
        image.load()
        rgb = _resized(image, stored, parts.stream, shorter_side)
        return np.array(rgb if turned is None else rgb.transpose(turned), dtype=np.uint8)


def _opened(stream: BinaryIO) -> ImageFile.ImageFile:
    """`Image.open` for our formats, without its warning of large pictures, which are decoded one at a time."""
    start = stream.read(16)
    for name in picture_formats():
        factory, accepts = Image.OPEN[name]
        if accepts is not None and accepts(start) is not True:
            continue
        stream.seek(0)
        try:
            return factory(stream, "")
        except (SyntaxError, IndexError, TypeError, struct.error):  # raised for a file of another format
            continue
    raise UnidentifiedImageError


def _orientation_of(parts: PictureBytes, image: ImageFile.ImageFile) -> int:
    if image.format == "TIFF":  # Pillow applies its orientation when it loads the file
        return 1
    exif, xmp = parts.exif or image.info.get("exif", b""), parts.xmp or image.info.get("xmp", b"")
    return orientation(exif if isinstance(exif, bytes) else b"", xmp if isinstance(xmp, bytes) else b"")


def _resized(image: ImageFile.ImageFile, stored: object, stream: BinaryIO, shorter_side: int) -> Image.Image:
    """`Image.resize` with a reducing gap, whose first step is combined with the conversion to RGB."""

    def low_bytes() -> Image.Image:
        stream.seek(0)
        low = _opened(stream)
        # Read with swapped byte order, 16-bit values of a PNG give their lower byte.
        low.tile = [(*low.tile[0][:3], "RGB;16L")]  # type: ignore[list-item]
        return low

    scale = shorter_side / min(image.size)
    if scale >= 1:
        return reduced_rgb(image, stored, low_bytes, (1, 1))
    size = (max(shorter_side, round(image.width * scale)), max(shorter_side, round(image.height * scale)))
    across, down = (max(1, int(old / new / _REDUCING_GAP)) for old, new in zip(image.size, size, strict=True))
    reduced = reduced_rgb(image, stored, low_bytes, (across, down))
    return reduced.resize(size, Image.Resampling.LANCZOS, box=(0, 0, image.width / across, image.height / down))
