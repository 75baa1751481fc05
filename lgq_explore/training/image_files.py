"""Which files of a folder are pictures, and how does one become 8-bit RGB of a given size?"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

# fmt: off
PICTURE_SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".avif", ".gif", ".bmp", ".dib",
    ".tif", ".tiff", ".tga", ".qoi", ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k",
})
# What phones and cameras write: passed over in silence, these would look like a folder without pictures.
FOREIGN_SUFFIXES = frozenset({
    ".heic", ".heif", ".jxl", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2",
})
# Named one by one because Pillow would otherwise try all it has, among them EPS, which starts Ghostscript.
_FORMATS = (
    "JPEG", "MPO", "PNG", "WEBP", "AVIF", "GIF", "BMP", "DIB", "TIFF", "TGA", "QOI", "PPM", "JPEG2000",
)
# fmt: on
# JPEG's own scaling by 1/2, 1/4 or 1/8 is coarse: leave this many times the wanted size to the real filter.
_REDUCING_GAP = 3.0


class UnusablePicture(Exception):
    """This file gives no picture; the message is the reason, a clause to be read after the file's name."""


def find_pictures(folder: Path) -> tuple[str, ...]:
    """Names, relative to `folder` and sorted, of all files in it that ought to be pictures by their suffix.

    Goes down into subfolders and follows links, but takes each real folder and file once: a picture under two
    names could be trained on under one and held out under the other. Passes over everything hidden.
    """
    names: dict[str, tuple[bool, str]] = {}  # real path → whether the name is a link, the name
    seen: set[str] = set()
    for directory, subfolders, files in os.walk(folder, followlinks=True):
        real_directory = os.path.realpath(directory)
        if real_directory in seen:
            subfolders.clear()
            continue
        seen.add(real_directory)
        # In sorted order, so that of two links to one folder the same is taken everywhere.
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for file in files:
            path = Path(directory, file)
            known = path.suffix.lower() in PICTURE_SUFFIXES | FOREIGN_SUFFIXES
            if not known or file.startswith(".") or not path.is_file():
                continue
            is_link = path.is_symlink()
            target = os.path.realpath(path) if is_link else os.path.join(real_directory, file)
            found = (is_link, path.relative_to(folder).as_posix())
            names[target] = min(found, names.get(target, found))
    return tuple(sorted(name for _, name in names.values()))


def read_picture(path: Path, shorter_side: int, smallest_side: int) -> NDArray[np.uint8]:
    """The picture in `path`, upright, its shorter side resized to `shorter_side` pixels: uint8 [H, W, 3].

    A smaller picture is not enlarged. Transparency is laid on white, 16-bit values are scaled to 8 bits, of
    several frames the first is taken, colour profiles are not applied.

    Raises:
        UnusablePicture: it cannot be decoded to its end, or its shorter side is below `smallest_side` pixels.
    """
    if path.suffix.lower() in FOREIGN_SUFFIXES:
        raise UnusablePicture(f"{path.suffix[1:].upper()} is not read here, convert it to JPEG or PNG")
    try:
        with Image.open(path, formats=_formats()) as image:
            if min(image.size) < smallest_side:
                raise UnusablePicture(f"its shorter side is {min(image.size)} pixels, below {smallest_side}")
            scale = min(1.0, _REDUCING_GAP * shorter_side / min(image.size))
            image.draft(None, (round(image.width * scale), round(image.height * scale)))
            upright = ImageOps.exif_transpose(image)
            return np.array(_resized(_to_rgb(upright), shorter_side), dtype=np.uint8)
    except UnusablePicture:
        raise
    except UnidentifiedImageError:
        raise UnusablePicture("it is empty" if path.stat().st_size == 0 else "it is not an image") from None
    except Image.DecompressionBombError as error:
        raise UnusablePicture(f"it is too large to decode safely ({error})") from error
    except Exception as error:  # parsers raise nearly anything on a damaged file; it is named, never hidden
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UnusablePicture(f"it cannot be decoded ({reason.splitlines()[0][:120]})") from error


@cache
def _formats() -> tuple[str, ...]:
    """Those of the formats that this Pillow was built with."""
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _resized(image: Image.Image, shorter_side: int) -> Image.Image:
    scale = shorter_side / min(image.size)
    if scale >= 1:
        return image
    width, height = (max(shorter_side, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=_REDUCING_GAP)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise UnusablePicture("floating-point values have no range to scale from, save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        return _from_16_bits(image).convert("RGB")
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def _from_16_bits(image: Image.Image) -> Image.Image:
    """16-bit greyscale → 8-bit; done here because Pillow's own conversion clips at 255 in some versions."""
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise UnusablePicture("32-bit values have no range to scale from, save it with 8 or 16 bits")
    return Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))
