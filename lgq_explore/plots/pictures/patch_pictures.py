"""One patch in its picture, and the picture with another code there."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from lgq_explore.errors import InputError

from ..live import live_figure
from ..paper import fitting_letters, fitting_width, line_inches
from ..printing import figure_of_size, publication_style, publish_title
from ..style import BLACK, ON_TOP, VERMILION, Title, layout, live_text, printed_text
from .images import picture_strip, strip_trace
from .sheets import across, click_targets, downwards

SUBJECT = "One patch"
SCREEN_SIDE = 224
GAP_SHARE = 0.05
OUTLINE = 2


def draw_patch_pictures(
    pictures: Mapping[str, NDArray[np.uint8]], numbers: NDArray[np.int64], row: int, column: int, detail: str = ""
) -> go.Figure:
    """Pictures uint8 [3, S, S] beside each other under their names, one patch outlined. Traces: the strip, the clicks.

    numbers: [H, W], what a click on each patch of any of the pictures picks; H divides S. row, column: the patch.

    Raises:
        InputError: pictures of different shapes, or a grid that does not divide them or does not hold the patch.
    """
    sheet = _sheet(pictures, numbers, row, column)
    height, width = numbers.shape
    rows, columns = np.indices((height, width))
    x = np.concatenate([left + (columns.ravel() + 0.5) * sheet.cell for left in sheet.lefts])
    y = np.tile((rows.ravel() + 0.5) * sheet.cell, len(sheet.lefts))
    return live_figure(
        [
            strip_trace(sheet.strip),
            click_targets(
                x,
                y,
                np.tile(numbers.ravel(), len(sheet.lefts)),
                SCREEN_SIDE / height,
                text=[f"row {r}, column {c}" for r, c in zip(rows.ravel(), columns.ravel(), strict=True)]
                * len(sheet.lefts),
                hovertemplate="%{text}<extra></extra>",
            ),
        ],
        layout(
            Title(SUBJECT, detail),
            height=SCREEN_SIDE + 88,
            margin={"l": 8, "r": 8, "t": 72, "b": 8},
            least_width=560,
            dragmode=False,
            hovermode="closest",
            shapes=[
                {
                    "type": "rect",
                    "name": ON_TOP,
                    "x0": left + column * sheet.cell,
                    "x1": left + (column + 1) * sheet.cell,
                    "y0": row * sheet.cell,
                    "y1": (row + 1) * sheet.cell,
                    "line": {"color": VERMILION, "width": OUTLINE},
                }
                for left in sheet.lefts
            ],
            xaxis=across(sheet.strip.shape[1])
            | {
                "side": "top",
                "tickvals": sheet.centres,
                "ticktext": [live_text(name) for name in pictures],
                "showgrid": False,
                "zeroline": False,
            },
            yaxis=downwards(len(sheet.strip)) | {"visible": False},
        ),
    )


def publish_patch_pictures(
    pictures: Mapping[str, NDArray[np.uint8]], numbers: NDArray[np.int64], row: int, column: int, detail: str = ""
) -> Figure:
    """What `draw_patch_pictures` shows, to print. Arguments and errors are the same."""
    sheet = _sheet(pictures, numbers, row, column)
    with publication_style():
        width = fitting_width(2.2 * len(pictures))
        side = width / len(pictures)
        names = ["\n".join(textwrap.wrap(printed_text(name), fitting_letters(side, "medium"))) for name in pictures]
        lines = 1 + max(name.count("\n") for name in names)
        figure = figure_of_size(width, side + 0.3 + line_inches("medium") * lines)
        axes = figure.subplots()
        axes.imshow(sheet.strip, extent=(0, sheet.strip.shape[1], len(sheet.strip), 0), interpolation="nearest")
        for left in sheet.lefts:
            corner = (left + column * sheet.cell, row * sheet.cell)
            axes.add_patch(Rectangle(corner, sheet.cell, sheet.cell, fill=False, edgecolor=VERMILION, linewidth=1.5))
        axes.xaxis.tick_top()
        axes.set_xticks(sheet.centres, names, color=BLACK)
        axes.set_yticks([])
        axes.tick_params(length=0)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        publish_title(figure, Title(SUBJECT, detail))
    return figure


@dataclass(frozen=True, eq=False)
class _Sheet:
    """The pictures side by side, enlarged. lefts, centres: along x, in pixels of the strip. cell: side of a patch."""

    strip: NDArray[np.uint8]
    lefts: list[int]
    centres: list[float]
    cell: float


def _sheet(pictures: Mapping[str, NDArray[np.uint8]], numbers: NDArray[np.int64], row: int, column: int) -> _Sheet:
    shapes = {name: picture.shape for name, picture in pictures.items()}
    if len(set(shapes.values())) != 1:
        raise InputError(f"pictures have shapes {shapes}: give at least one, all of [3, S, S]")
    size = next(iter(shapes.values()))[-1]
    height, width = numbers.shape
    if height != width or size % height or not (0 <= row < height and 0 <= column < width):
        raise InputError(f"patch ({row}, {column}) of a {height} × {width} grid on {size} pixels: give a cell of it")
    scale = max(1, round(SCREEN_SIDE / size))
    side, gap = size * scale, round(size * scale * GAP_SHARE)
    lefts = [place * (side + gap) for place in range(len(pictures))]
    return _Sheet(
        strip=picture_strip(np.stack(list(pictures.values())), scale, gap),
        lefts=lefts,
        centres=[left + side / 2 for left in lefts],
        cell=side / height,
    )
