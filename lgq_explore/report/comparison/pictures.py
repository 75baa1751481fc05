"""Pictures as data URIs, which a page holds in itself."""

from __future__ import annotations

import base64
from io import BytesIO

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from lgq_explore.plots.printing import png_bytes

SMALL = 96
"""Pixels a side up to which pictures are kept exactly."""

QUALITY = 90
"""Of larger ones, which would make a page of many megabytes."""

GREY = 128
"""What parts patches, of which some are white."""


def picture_uri(picture: NDArray[np.uint8]) -> str:
    """A picture uint8 [3, H, W] as a data URI: PNG, or WebP if it is larger than SMALL."""
    image = Image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0)))
    if max(image.size) <= SMALL:
        return _uri("image/png", png_bytes(image))
    target = BytesIO()
    image.save(target, "WEBP", quality=QUALITY)
    return _uri("image/webp", target.getvalue())


def strip(patches: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Patches uint8 [n, 3, side, side] in a row, with a grey pixel between them."""
    padded = np.pad(patches, ((0, 0), (0, 0), (0, 0), (0, 1)), constant_values=GREY)
    return np.concatenate(list(padded), axis=2)[:, :, :-1]


def figure_uri(figure: Figure) -> str:
    """A figure as SVG in a data URI: its names can't clash with others', and it can't load or run anything."""
    target = BytesIO()
    figure.savefig(target, format="svg")
    return _uri("image/svg+xml", target.getvalue())


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
