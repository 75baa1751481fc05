"""Patches of codes, one row per code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lgq_explore.errors import InputError

from ..live import live_figure
from ..paper import fitting_width
from ..printing import figure_of_size, new_figure, publication_style, publish_sentence, publish_title
from ..style import GUIDE, Title, layout, sentence_when_empty
from .images import clear_page, picture_strip, strip_trace
from .sheets import across, click_targets, downwards

NO_CODES = "No codes are selected: pick some in another panel, or type them above."

SUMMARIES = ("alone", "mean in", "mean out")
"""The first pictures of a row: the code decoded alone, and the means of its input and reconstructed patches."""

LEGIBLE_SIDE = 64
GAP = 6
OUTLINE = (255, 255, 255, 255)
LINE = 2
"""Width of the outline in pixels: one pixel would be lost where the page is scaled down."""
ROW_NAME_WIDTH, NAMES_INCHES = 120, 1.1
"""Room for the names of rows, on a screen in pixels and printed."""
HEADING_INCHES = 0.5
"""Width that the heading of a printed column needs."""
PATCH_ON_SCREEN = 40
"""Screen pixels of a patch: five rows of 15 leave room for another chart on a screen of 1,280 × 900 pixels."""


@dataclass(frozen=True, eq=False)
class PatchRow:
    """One code: its name (<br> breaks the line), its summaries and its patches, uint8.

    alone, mean_input, mean_reconstruction: [3, side, side]; None where there is none. patches: [n, 3, side, side].
    numbers: [n], what a click on each patch picks. inside: [n, side, side], which pixels of the patches are those of a
    picture, all by default.
    """

    name: str
    alone: NDArray[np.uint8]
    mean_input: NDArray[np.uint8] | None
    mean_reconstruction: NDArray[np.uint8] | None
    patches: NDArray[np.uint8]
    numbers: NDArray[np.int64]
    inside: NDArray[np.bool_] | None = None


def draw_code_patches(rows: Sequence[PatchRow], reach: int, detail: str = "") -> go.Figure:
    """One row per code: decoded alone, mean patches, and patches that hold it. Traces: one strip per row, then clicks.

    reach: pixels around the token's own, which are outlined. detail: of the title.

    Raises:
        InputError: rows whose pictures differ in size, or have no pixels within the reach.
    """
    sheet = _sheet(rows, reach)
    empty = not rows
    scale = PATCH_ON_SCREEN / sheet.step
    return live_figure(
        [
            *(
                strip_trace(strip, top, name=row.name)
                for row, strip, top in zip(rows, sheet.strips, sheet.tops, strict=True)
            ),
            click_targets(
                sheet.click_x,
                sheet.click_y,
                sheet.numbers,
                PATCH_ON_SCREEN,
                hovertemplate="click to inspect this patch<extra></extra>",
            ),
        ],
        layout(
            Title("Patches that hold each code", detail),
            height=max(150, round(sheet.height * scale) + 74),
            margin={"l": ROW_NAME_WIDTH, "r": 8, "t": 66, "b": 8},
            least_width=720,
            dragmode=False,
            hovermode="closest",
            xaxis=across(max(1, sheet.width))
            | {
                "visible": not empty,
                "side": "top",
                "tickvals": sheet.column_centres,
                "ticktext": [*(name.replace(" ", "<br>") for name in SUMMARIES), "patches"],
                "tickfont": {"size": 11, "color": GUIDE},
                "tickangle": 0,
                "showgrid": False,
                "zeroline": False,
            },
            yaxis=downwards(max(1, sheet.height))
            | {
                "visible": not empty,
                "tickvals": sheet.row_centres,
                "ticktext": [row.name for row in rows],
                "ticklabelstandoff": 6,
                "showgrid": False,
                "zeroline": False,
            },
            annotations=[sentence_when_empty(NO_CODES, empty=empty)],
        ),
    )


def publish_code_patches(rows: Sequence[PatchRow], reach: int, detail: str = "") -> Figure:
    """What `draw_code_patches` shows, to print. Arguments and errors are the same."""
    sheet = _sheet(rows, reach)
    with publication_style():
        if not rows:
            return publish_sentence(new_figure(7, 1.5), NO_CODES)
        width = fitting_width(8.5)
        figure = figure_of_size(width, (width - NAMES_INCHES) * sheet.height / sheet.width + 0.7)
        axes = figure.subplots()
        page = clear_page(sheet.height, sheet.width)
        for strip, top in zip(sheet.strips, sheet.tops, strict=True):
            page[top : top + len(strip), : strip.shape[1]] = strip
        axes.imshow(page)
        crowded = width * sheet.step / sheet.width < HEADING_INCHES
        axes.set_yticks(sheet.row_centres, [row.name.replace("<br>", ", " if crowded else "\n") for row in rows])
        axes.xaxis.tick_top()
        turned: dict[str, Any] = {"rotation": 45, "ha": "left"} if crowded else {}
        axes.set_xticks(sheet.column_centres, [*SUMMARIES, "patches"], fontsize="xx-small", **turned)
        axes.tick_params(length=0)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        publish_title(figure, Title("Patches that hold each code", detail))
    return figure


@dataclass(frozen=True)
class _Sheet:
    """Rows as they lie on the page, in its pixels. step: from one patch to the next."""

    strips: list[NDArray[np.uint8]]
    tops: list[int]
    row_centres: list[float]
    column_centres: list[float]
    click_x: list[float]
    click_y: list[float]
    numbers: list[int]
    width: int
    height: int
    step: int


def _sheet(rows: Sequence[PatchRow], reach: int) -> _Sheet:
    if not rows:
        return _Sheet([], [], [], [], [], [], [], 0, 0, LEGIBLE_SIDE)
    size = _checked_size(rows, reach)
    scale = max(1, round(LEGIBLE_SIDE / size))
    side = size * scale
    step = side + GAP
    strips = [_row_strip(row, scale, reach) for row in rows]
    tops = [index * step for index in range(len(rows))]
    first = len(SUMMARIES) * step + GAP  # a double gap parts the summaries from the patches
    places = [
        (first + place * step + side / 2, top + side / 2, int(number))
        for row, top in zip(rows, tops, strict=True)
        for place, number in enumerate(row.numbers)
    ]
    return _Sheet(
        strips=strips,
        tops=tops,
        row_centres=[top + side / 2 for top in tops],
        column_centres=[*(place * step + side / 2 for place in range(len(SUMMARIES))), first + side / 2],
        click_x=[x for x, _, _ in places],
        click_y=[y for _, y, _ in places],
        numbers=[number for _, _, number in places],
        # With few patches a row keeps the size that it has with many.
        width=max(len(SUMMARIES) * step + 8 * step, *(strip.shape[1] for strip in strips)),
        height=len(rows) * step - GAP,
        step=step,
    )


def _checked_size(rows: Sequence[PatchRow], reach: int) -> int:
    sizes = {row.alone.shape[-1] for row in rows} | {row.patches.shape[-1] for row in rows}
    size = min(sizes)
    if len(sizes) > 1 or not 0 <= 2 * reach < size:
        raise InputError(
            f"patches are {sorted(sizes)} pixels wide, reach {reach}: cut all to one size, wider than twice that"
        )
    return size


def _row_strip(row: PatchRow, scale: int, reach: int) -> NDArray[np.uint8]:
    """The summaries and the patches side by side, enlarged, each with its token's own pixels outlined."""
    summaries = [row.alone, row.mean_input, row.mean_reconstruction]
    are_there = np.array([picture is not None for picture in summaries])
    pictures = np.stack([row.alone if picture is None else picture for picture in summaries])
    inside = np.broadcast_to(are_there[:, None, None], (len(pictures), *pictures.shape[2:]))
    parts = [picture_strip(pictures, scale, GAP, inside)]
    parts.append(clear_page(len(parts[0]), 2 * GAP))
    if len(row.patches):
        patches = picture_strip(row.patches, scale, GAP, row.inside)
        parts.append(_outlined(patches, len(row.patches), scale, reach))
    return np.concatenate(parts, axis=1)


def _outlined(strip: NDArray[np.uint8], count: int, scale: int, reach: int) -> NDArray[np.uint8]:
    """Draw a line just outside each token's own pixels; none where the reach is 0."""
    if reach == 0:
        return strip
    marked = strip.copy()
    side = len(strip)
    inner, outer = slice(reach * scale, side - reach * scale), reach * scale - LINE
    for place in range(count):
        left = place * (side + GAP)
        patch = marked[:, left : left + side]
        own = patch[inner, inner].copy()
        patch[outer : side - outer, outer : side - outer] = OUTLINE
        patch[inner, inner] = own
    return marked
