"""Small drawn pictures, for tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..cache import PreparedPictures, digest_of
from ..copies import sketch_of
from ..cutting import SIDE_IN_CROPS
from ..photographs import PhotographSource
from ..source import SourceKind

_DRAWN_PICTURES = 16


class Fake(SourceKind):
    form = "fake"
    description = "small drawn pictures, for tests"

    def open(self, argument: str, image_size: int, *, seed: int, split: bool) -> PhotographSource:
        return PhotographSource.of("fake", _drawn_pictures(image_size), image_size, seed=seed, split=split)


def _drawn_pictures(image_size: int) -> PreparedPictures:
    height = max(2 * image_size, min(SIDE_IN_CROPS * image_size, 128))
    pixels = tuple(_drawn_picture(number, height, height * 5 // 4) for number in range(_DRAWN_PICTURES))
    return PreparedPictures(
        names=tuple(f"fake-{number:02}" for number in range(_DRAWN_PICTURES)),
        contents=tuple(f"fake-{number:02}" for number in range(_DRAWN_PICTURES)),  # the same at every size
        pixels=pixels,
        digests=tuple(digest_of(picture) for picture in pixels),
        sketches=tuple(sketch_of(picture) for picture in pixels),
        skipped=(),
    )


def _drawn_picture(number: int, height: int, width: int) -> NDArray[np.uint8]:
    """A gradient between four corner colours under soft-edged ellipses, always the same: uint8 [H, W, 3]."""
    generator = np.random.Generator(np.random.Philox(key=number))
    down = np.linspace(0, 1, height)[:, None, None]
    across = np.linspace(0, 1, width)[None, :, None]
    top_left, top_right, bottom_left, bottom_right = generator.uniform(0, 255, (4, 3))
    top = (1 - across) * top_left + across * top_right
    bottom = (1 - across) * bottom_left + across * bottom_right
    picture = (1 - down) * top + down * bottom
    for _ in range(8):
        centre_down, centre_across = generator.uniform(0, 1, 2)
        radius_down, radius_across = generator.uniform(0.05, 0.3, 2)
        colour = generator.uniform(0, 255, 3)
        distance = np.hypot((down - centre_down) / radius_down, (across - centre_across) / radius_across)
        inside = np.clip((1 - distance) * 10 + 0.5, 0, 1)
        picture = picture * (1 - inside) + colour * inside
    return np.round(picture).astype(np.uint8)
