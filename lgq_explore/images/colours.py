"""Conversion of stored pictures to 8-bit RGB.

A picture is converted strip by strip: the largest that Pillow opens has 700 MB as RGB, and each step of a conversion
would take as much again.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

Box = tuple[int, int, int, int]
"""Left, top, right and bottom, in pixels."""

# Tags of TIFF 6.0.
_BITS_PER_SAMPLE, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339
_WHITE_IS_ZERO, _UNSIGNED = 0, 1
# Pixels in a strip, for which all copies together stay below 100 MB.
_STRIP_PIXELS = 1 << 21
# A PNG has its transparent grey in the file's own depth, while Pillow scales pixels of 2 and 4 bits to 0 … 255.
_STEPS_OF_GREY = {"L;2": 85, "L;4": 17}


class UnusablePicture(Exception):
    """A file without a usable picture; the message is the reason, as a clause that follows the file's name.

    passing: whether the same file may be usable the next time: no permission, an error of the disk or the network, no
    memory.
    """

    def __init__(self, why: str, *, passing: bool = False) -> None:
        super().__init__(why)
        self.passing = passing


def reduced_rgb(
    image: ImageFile.ImageFile, stored: object, low_bytes: Callable[[], Image.Image], factor: tuple[int, int]
) -> Image.Image:
    """A loaded picture as RGB, reduced by `factor` (across, down) as by `Image.reduce`.

    stored: how its file stores pixels, in Pillow's terms. low_bytes: returns the same picture made of the lower bytes
    of 16-bit colours; it is called if these decide which pixels are transparent.

    Raises:
        UnusablePicture: values without a range that could be scaled to 8 bits.
    """
    across, down = factor
    to_rgb = _conversion(image, stored, low_bytes)
    if factor == (1, 1) and to_rgb is _as_it_is:
        return image
    reduced = Image.new("RGB", (-(-image.width // across), -(-image.height // down)))
    rows = max(1, _STRIP_PIXELS // (image.width * down)) * down
    for top in range(0, image.height, rows):
        box = (0, top, image.width, min(top + rows, image.height))
        reduced.paste(to_rgb(image, box).reduce(factor), (0, top // down))
    return reduced


_Conversion = Callable[[Image.Image, Box], Image.Image]


def _conversion(image: ImageFile.ImageFile, stored: object, low_bytes: Callable[[], Image.Image]) -> _Conversion:
    """The function that converts a strip of this picture to RGB."""
    transparent = image.info.get("transparency")
    if image.mode == "F":
        raise UnusablePicture("floating-point values have no range to scale from, save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        return _from_deep_grey(image, transparent)
    if stored == "RGB;16B" and isinstance(transparent, tuple):
        return _with_deep_transparency(low_bytes(), transparent)
    if isinstance(stored, str) and stored in _STEPS_OF_GREY and isinstance(transparent, int):
        image.info["transparency"] = transparent * _STEPS_OF_GREY[stored]
    if image.has_transparency_data:
        return _on_white
    return _as_it_is if image.mode == "RGB" else _converted


def _as_it_is(image: Image.Image, box: Box) -> Image.Image:
    return image.crop(box)


def _converted(image: Image.Image, box: Box) -> Image.Image:
    return image.crop(box).convert("RGB")


def _on_white(image: Image.Image, box: Box) -> Image.Image:
    strip = image.crop(box).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", strip.size, "white"), strip).convert("RGB")


def _from_deep_grey(image: ImageFile.ImageFile, transparent: object) -> _Conversion:
    """Grey of more than 8 bits, scaled here because Pillow's own conversion clips at 255 in some versions."""
    tags = getattr(image, "tag_v2", {})
    (bits,) = _tag(tags, _BITS_PER_SAMPLE, 16)
    if bits > 16 or _tag(tags, _SAMPLE_FORMAT, _UNSIGNED) != (_UNSIGNED,):
        raise UnusablePicture("signed or 32-bit values have no range to scale from, save it with 8 or 16 bits")
    white = (1 << bits) - 1
    inverted = _tag(tags, _PHOTOMETRIC, 1) == (_WHITE_IS_ZERO,)

    def convert(image: Image.Image, box: Box) -> Image.Image:
        values = np.asarray(image.crop(box))
        if values.min() < 0 or values.max() > white:
            raise UnusablePicture("32-bit values have no range to scale from, save it with 8 or 16 bits")
        grey = ((values.astype(np.uint32) * 255 + white // 2) // white).astype(np.uint8)
        if inverted:
            grey = 255 - grey
        if isinstance(transparent, int):
            grey[values == transparent] = 255
        return Image.fromarray(grey).convert("RGB")

    return convert


def _with_deep_transparency(low: Image.Image, transparent: tuple[int, int, int]) -> _Conversion:
    """16-bit RGB with one transparent colour, compared in all bits; Pillow keeps the higher byte only."""
    high_byte, low_byte = np.divmod(np.array(transparent), 256)

    def convert(image: Image.Image, box: Box) -> Image.Image:
        pixels: NDArray[np.uint8] = np.array(image.crop(box))
        is_transparent = (pixels == high_byte).all(axis=-1) & (np.asarray(low.crop(box)) == low_byte).all(axis=-1)
        pixels[is_transparent] = 255
        return Image.fromarray(pixels)

    return convert


def _tag(tags: object, tag: int, default: int) -> tuple[int, ...]:
    """The values of a TIFF tag as a tuple; some versions of Pillow give a single value without one."""
    value = tags.get(tag, default)  # type: ignore[attr-defined]
    return tuple(value) if isinstance(value, tuple) else (value,)
