"""Pictures in rows, one row per kind."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import plotly.graph_objects as go
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from lgq_explore.errors import InputError

from ..live import Trace, live_figure
from ..paper import fitting_width
from ..printing import figure_of_size, new_figure, publication_style, publish_sentence, publish_title
from ..style import Title, layout, live_text, printed_text, sentence_when_empty
from .sheets import across, downwards

NO_IMAGES = "No pictures have been reconstructed yet."

LEGIBLE_SIDE = 96
"""Least side of a picture in screen pixels; smaller pictures are enlarged by a whole factor."""
GAP_SHARE = 0.06
"""Gap between pictures, as a share of their side."""

WIDTH = 880
"""Width of the rows in screen pixels, in a notebook's cell of about 1,000."""
LARGEST_SIDE = 128

ImageRows = Mapping[str, NDArray[np.uint8] | None]


def draw_images(rows: ImageRows, title: Title | None = None) -> go.Figure:
    """Rows of pictures, uint8 [n, 3, S, S] each, under their names; a row that is None is left out. One trace per row.

    title: by default it says how many of what size.

    Each row travels as one PNG, which a browser draws at once; lists of pixels take it a second.

    Raises:
        InputError: rows of different shapes, or of something else than pictures.
    """
    sheet = _sheet(rows, title)
    empty = not sheet.names
    return live_figure(
        [
            strip_trace(strip, top, name=live_text(name))
            for name, strip, top in zip(sheet.names, sheet.strips, sheet.tops, strict=True)
        ],
        layout(
            sheet.title,
            height=_screen_height(sheet),
            margin={"l": 64, "r": 8, "t": 44, "b": 8},
            dragmode=False,
            xaxis=across(max(1, sheet.width)) | {"visible": False},
            yaxis=downwards(max(1, sheet.height))
            | {
                "visible": not empty,
                "tickvals": sheet.centres,
                "ticktext": [live_text(name) for name in sheet.names],
                "ticklabelstandoff": 6,
                "showgrid": False,
                "zeroline": False,
            },
            annotations=[sentence_when_empty(NO_IMAGES, empty=empty)],
        ),
    )


def publish_images(rows: ImageRows, title: Title | None = None) -> Figure:
    """What `draw_images` shows, to print. Arguments and errors are the same."""
    sheet = _sheet(rows, title)
    with publication_style():
        if not sheet.names:
            return publish_sentence(new_figure(7, 1.5), NO_IMAGES)
        width = fitting_width(min(7.0, 1.1 * sheet.pictures + 0.6))
        figure = figure_of_size(width, (width - 0.6) * sheet.height / sheet.width + 0.3)
        axes = figure.subplots()
        page = clear_page(sheet.height, sheet.width)
        for strip, top in zip(sheet.strips, sheet.tops, strict=True):
            page[top : top + strip.shape[0]] = strip
        axes.imshow(page, interpolation="nearest")
        axes.set_xticks([])
        axes.set_yticks(sheet.centres, [printed_text(name) for name in sheet.names])
        axes.tick_params(length=0)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        publish_title(figure, sheet.title)
    return figure


@dataclass(frozen=True)
class _Sheet:
    """Rows as they lie on the page, in its pixels.

    strips: the pictures of each row side by side, by `picture_strip`. tops, centres: of the rows, downwards.
    """

    names: list[str]
    strips: list[NDArray[np.uint8]]
    tops: list[int]
    centres: list[float]
    width: int
    height: int
    pictures: int
    title: Title


def _sheet(rows: ImageRows, title: Title | None) -> _Sheet:
    given = {name: _checked_pictures(name, images) for name, images in rows.items() if images is not None}
    shapes = {name: images.shape for name, images in given.items()}
    if len(set(shapes.values())) > 1:
        raise InputError(f"rows have different shapes, {shapes}: give one picture in each row for every column")
    if not given:
        return _Sheet([], [], [], [], 0, 0, 0, title or Title("Reconstructions", ""))
    pictures, _, _, size = next(iter(shapes.values()))
    scale = max(1, round(LEGIBLE_SIDE / size))
    side, gap = size * scale, max(1, round(size * scale * GAP_SHARE))
    tops = [index * (side + gap) for index in range(len(given))]
    return _Sheet(
        names=list(given),
        strips=[picture_strip(images, scale, gap) for images in given.values()],
        tops=tops,
        centres=[top + side / 2 for top in tops],
        width=pictures * (side + gap) - gap,
        height=len(given) * (side + gap) - gap,
        pictures=pictures,
        title=title or Title("Reconstructions", f"{pictures} picture{'s' * (pictures > 1)} of {size} × {size} pixels"),
    )


def _checked_pictures(name: str, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    shape = images.shape
    if images.dtype != np.uint8 or images.ndim != 4 or shape[1] != 3 or shape[2] != shape[3] or 0 in shape:
        raise InputError(
            f"row {name!r} has shape {list(shape)} and type {images.dtype}: give uint8 [n, 3, S, S], n at least 1"
        )
    return images


def picture_strip(
    images: NDArray[np.uint8], scale: int, gap: int, inside: NDArray[np.bool_] | None = None
) -> NDArray[np.uint8]:
    """Pictures [n, 3, S, S] side by side, enlarged by whole pixels, RGBA: [side, width, 4].

    Between them it is clear, so that a page of any colour shows there. inside: [n, S, S], pixels that are not clear,
    all by default.
    """
    alpha = np.full((len(images), 1, *images.shape[2:]), 255, dtype=np.uint8)
    if inside is not None:
        alpha *= inside[:, None]
    coloured = np.concatenate([images, alpha], axis=1)
    large = coloured.transpose(2, 0, 3, 1).repeat(scale, axis=0).repeat(scale, axis=2)  # [side, n, side, 4]
    side = len(large)
    strip = clear_page(side, len(images) * (side + gap))
    strip.reshape(side, len(images), side + gap, 4)[:, :, :side] = large
    return strip[:, : strip.shape[1] - gap]


def clear_page(height: int, width: int) -> NDArray[np.uint8]:
    """RGBA pixels [height, width, 4] of nothing, which are white where a file has no transparency."""
    page = np.full((height, width, 4), 255, dtype=np.uint8)
    page[..., 3] = 0
    return page


def strip_trace(strip: NDArray[np.uint8], top: float = 0, **settings: Any) -> Trace:
    """A strip of pictures as one trace whose pixels are units of the axes, from x = 0.5 and y = top + 0.5 on."""
    place = {"x0": 0.5, "y0": top + 0.5, "dx": 1, "dy": 1}
    return {"type": "image", "source": png_uri(strip), **place, "hoverinfo": "skip", **settings}


def png_uri(strip: NDArray[np.uint8]) -> str:
    """A data URI. Enlarged pixels compress to almost nothing even at the fastest level."""
    target = BytesIO()
    Image.fromarray(strip).save(target, format="PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(target.getvalue()).decode("ascii")


def _screen_height(sheet: _Sheet) -> int:
    """Pixels that the rows take at the width of a notebook's cell, with the title above them."""
    if not sheet.names:
        return 240
    width = min(WIDTH, LARGEST_SIDE * sheet.pictures)
    return round(width * sheet.height / sheet.width) + 52
