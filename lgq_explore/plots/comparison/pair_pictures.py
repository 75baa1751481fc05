"""A crop, what two tokenizers made of it, and their tokens, beside each other at equal size."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lgq_explore.errors import InputError

from ..live import Trace, live_figure
from ..paper import fitting_letters, fitting_width, line_inches
from ..pictures.images import png_uri
from ..printing import figure_of_size, publication_style, publish_title
from ..style import INK, Title, layout, live_text, printed_text, sentence_when_empty

HEIGHT = 282
GAP = 0.012
"""Between pictures, as a share of the width of all."""

LETTERS, LEAST_SIDE = 15, 100
"""Of a line above a picture, and the screen pixels across the narrowest picture, which such a line fits."""

MOST_LINES, BAND = 3, 102
"""Above a picture, and the screen pixels that these and the title take."""


@dataclass(frozen=True, eq=False)
class PairPicture:
    """A picture uint8 [3, S, S], or a coarser one of the same crop such as a map of tokens, under its name."""

    name: str
    pixels: NDArray[np.uint8]


def draw_pair_pictures(pictures: Sequence[PairPicture], title: Title) -> go.Figure:
    """Pictures beside each other, each as large, whatever its pixels; pixels stay squares when they are enlarged.

    Where a reader zooms into one, all others follow.

    Raises:
        InputError: no pictures, or one that is not square.
    """
    side = _side(pictures)
    traces: list[Trace] = []
    axes: dict[str, Any] = {}
    share = (1 - GAP * (len(pictures) - 1)) / len(pictures)
    for place, picture in enumerate(pictures):
        number = "" if place == 0 else str(place + 1)
        traces.append(_trace(picture, side, number))
        left = place * (share + GAP)
        own = {"range": [0, side], "constrain": "domain"} if place == 0 else {"matches": "x"}
        axes[f"xaxis{number}"] = {"domain": [left, min(1, left + share)], "visible": False, **own}
        axes[f"yaxis{number}"] = {
            "anchor": f"x{number}",
            "visible": False,
            "scaleanchor": f"x{number}",
            "constrain": "domain",
            "constraintoward": "top",
            **({"range": [side, 0]} if place == 0 else {"matches": "y"}),
        }
    return live_figure(
        traces,
        layout(
            title,
            height=HEIGHT,
            least_width=LEAST_SIDE * len(pictures),
            margin={"l": 4, "r": 4, "t": BAND, "b": 4},
            dragmode="zoom",
            hovermode=False,
            annotations=[_name(picture, place * (share + GAP)) for place, picture in enumerate(pictures)],
            **axes,
        ),
    )


def publish_pair_pictures(pictures: Sequence[PairPicture], title: Title) -> Figure:
    """What `comparison.draw_pair_pictures` shows, to print. Arguments and errors are the same."""
    side = _side(pictures)
    with publication_style():
        width = fitting_width(2.0 * len(pictures))
        each = width / len(pictures)
        names = [
            "\n".join(textwrap.wrap(printed_text(picture.name), fitting_letters(each))[:MOST_LINES])
            for picture in pictures
        ]
        figure = figure_of_size(width, each + 0.3 + line_inches("small") * MOST_LINES)
        grid = figure.subplots(1, len(pictures), squeeze=False)[0]
        for axes, picture, name in zip(grid, pictures, names, strict=True):
            shown = picture.pixels.transpose(1, 2, 0)
            axes.imshow(shown, interpolation="nearest", extent=(0, side, side, 0))
            axes.set_title(name, fontsize="small")
            axes.set_axis_off()
        publish_title(figure, title)
    return figure


def _side(pictures: Sequence[PairPicture]) -> int:
    """Pixels a side of the finest."""
    if not pictures:
        raise InputError("no pictures to show: give at least one")
    for picture in pictures:
        shape = picture.pixels.shape
        if len(shape) != 3 or shape[0] != 3 or shape[1] != shape[2]:
            raise InputError(f"picture {picture.name!r} has the shape {list(shape)}: give uint8 [3, S, S]")
    return max(picture.pixels.shape[-1] for picture in pictures)


def _trace(picture: PairPicture, side: int, number: str) -> Trace:
    pixels = picture.pixels.transpose(1, 2, 0)
    step = side / len(pixels)
    return {
        "type": "image",
        "source": png_uri(np.ascontiguousarray(pixels)),
        "x0": step / 2,
        "y0": step / 2,
        "dx": step,
        "dy": step,
        "xaxis": f"x{number}",
        "yaxis": f"y{number}",
        "hoverinfo": "skip",
    }


def _name(picture: PairPicture, left: float) -> dict[str, Any]:
    lines = textwrap.wrap(picture.name, LETTERS, max_lines=MOST_LINES, placeholder=" …") or [""]
    return {
        "text": "<br>".join(map(live_text, lines)),
        "x": left,
        "y": 1,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "bottom",
        "align": "left",
        "showarrow": False,
        "font": {"size": 12, "color": INK},
    }


def draw_no_pictures(sentence: str) -> go.Figure:
    """A sentence in the place of pictures that there are none of."""
    return live_figure(
        [],
        layout(
            Title("Pictures", ""),
            height=HEIGHT,
            xaxis={"visible": False},
            yaxis={"visible": False},
            annotations=[sentence_when_empty(live_text(sentence), empty=True)],
        ),
    )
