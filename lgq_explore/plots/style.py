"""The look that all figures share.

Colours are Okabe and Ito's, which people with any kind of colour vision can tell apart
(https://jfly.uni-koeln.de/color/).
"""

from __future__ import annotations

import colorsys
import hashlib
import html
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from lgq_explore.errors import printable

from .paper import tick_label

BLACK, ORANGE, SKY_BLUE, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"

METHOD_COLOURS: dict[str, str] = {
    "lgq": BLUE,
    "lgq-paper": SKY_BLUE,
    "fsq": VERMILION,
    "simvq": GREEN,
    "simvq-mlp": ORANGE,
    "vq": PURPLE,
    "vq-gradient": BLACK,
}
"""The colour of each method, the same in every figure. The palette's eighth colour, yellow, is too faint on white."""

OTHER_LIGHTNESS, OTHER_SATURATION = (0.28, 0.4, 0.52), 0.6
"""Lightness and saturation of the colours of other methods, dark enough on white. Any hue is possible."""
WORD_JOINER = "\N{WORD JOINER}"
"""A character without width or ink."""

GUIDE = "#555555"
"""Colour of lines to compare with, and of what is said in passing."""
DEAD = "#D4D4D4"
"""Colour of codes that no token chose."""
INK, PAPER = "#222222", "#FFFFFF"
AXIS, GRID = "#BBBBBB", "#EEEEEE"

THEMED = {
    BLACK: "--jp-ui-font-color0",
    INK: "--jp-ui-font-color1",
    GUIDE: "--jp-ui-font-color2",
    AXIS: "--jp-border-color1",
    GRID: "--jp-border-color2",
    DEAD: "--jp-border-color1",
    PAPER: "--jp-layout-color0",
}
"""Colours that follow JupyterLab's theme in interactive figures, and its variable for each. Others stay as they are."""

ON_TOP = "on top"
"""The `meta` of traces and the `name` of shapes that mark places of a chart: markers circle-open or square-open at
plain numbers, lines and rectangles. A page draws them on top, so that a chart is not drawn again for other marks."""

ON_CANVAS = "on a canvas"
"""The `meta` of traces of many points, or of thin lines, that a page draws on a canvas: without a GPU, plotly takes
long. Axes are linear and have ranges. Markers are discs of one size, in one colour or on a colour axis; what is said of
one is a `hovertemplate` of its `text` or `customdata`."""

ON_GROUND = "on the ground of a canvas"
"""The `meta` of traces as those ON_CANVAS that lie below them, each in one colour. A page keeps them while others come
and go above: they neither travel nor are drawn again."""

CHART_HEIGHT = 350
"""Screen pixels that a chart beside another one needs at least."""

LEAST_WIDTH = 320
"""Screen pixels that a chart with one pair of axes needs at least."""

LOW_CHART_HEIGHT = 260
"""Screen pixels that a chart below another one needs at least."""

FONT = {"family": "Source Sans Pro, Helvetica Neue, Arial, sans-serif", "size": 13, "color": INK}


@dataclass(frozen=True)
class Title:
    """Title of a figure. subject: what is shown. detail: of which data, with N."""

    subject: str
    detail: str


def method_colour(method: str) -> str:
    """The method's colour; for a method that is not in METHOD_COLOURS, one derived from its name."""
    if method in METHOD_COLOURS:
        return METHOD_COLOURS[method]
    drawn = int.from_bytes(hashlib.sha256(method.encode(errors="surrogatepass")).digest()[:8], "big")
    hue, lightness = divmod(drawn, len(OTHER_LIGHTNESS))
    rgb = colorsys.hls_to_rgb(hue % 3600 / 3600, OTHER_LIGHTNESS[lightness], OTHER_SATURATION)
    return "#" + "".join(f"{round(255 * part):02X}" for part in rgb)


COUNTS = ",.10~g"
"""Format of ticks that count something: whole numbers are never rounded to others."""

LEAST_TICKS, LEAST_ROOM = 3, 1.1
"""Fewest ticks of a logarithmic axis at 1, 2 and 5, and least factor by which it goes beyond its values."""

TITLE_BAND = 40
"""Screen pixels of the top margin that the title takes."""

AXES = {"automargin": True, "ticks": "", "title": {"standoff": 15}, "zerolinecolor": GRID}
COLOUR_BAR = {"outlinewidth": 0, "ticks": ""}
TEMPLATE = {
    "layout": {
        "paper_bgcolor": PAPER,
        "plot_bgcolor": PAPER,
        "colorway": [BLUE, ORANGE, GREEN, PURPLE, VERMILION, SKY_BLUE],
        "hoverlabel": {"align": "left"},
        "xaxis": AXES,
        "yaxis": AXES,
    },
    "data": {"heatmap": [{"type": "heatmap", "colorbar": COLOUR_BAR}]},
}
"""Settings of all figures beyond plotly's defaults. plotly's own templates take 20 ms in every figure."""

# Figures are built from plain dictionaries in one call: plotly's update methods take ten times as long, and a panel
# draws while a model trains on the same processor.


def live_text(text: object) -> str:
    """Text escaped for plotly, which reads HTML everywhere, and %{…} in hover texts."""
    return html.escape(printable(text), quote=False).replace("%{", "&#37;{")


def printed_text(text: object) -> str:
    """Text escaped for matplotlib, which reads dollars as formulas and hides labels that begin with _."""
    shown = printable(text).replace("$", r"\$")
    return WORD_JOINER + shown if shown.startswith("_") else shown


def layout(
    title: Title,
    *,
    height: int,
    least_width: int = LEAST_WIDTH,
    linked: str = "",
    lights: str = "",
    **settings: Any,
) -> dict[str, Any]:
    """The common layout of interactive figures, overridden by `settings`. The width is that of the notebook's cell.

    least_width: screen pixels below which its parts would overlap; where there are fewer, the page scrolls it.
    linked: figures with the same word here are moved together by the page. lights: where a point of a figure is
    hovered, the page rings the points with its number, their `customdata`, in all figures with the same word here.
    """
    house = {
        "template": TEMPLATE,
        "title": {
            "text": f"<b>{live_text(title.subject)}</b>  "
            f'<span style="color:{GUIDE}; font-size:13px">{live_text(title.detail)}</span>',
            "font": {"size": 15},
            "x": 0,
            "xref": "paper",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"t": 12},
        },
        "font": FONT,
        "height": height,
        "margin": {"l": 64, "r": 24, "t": 52, "b": 56},
        "hoverlabel": {"bgcolor": PAPER, "bordercolor": AXIS, "font": FONT},
        # A zoom outlives an update of the data.
        "uirevision": "keep",
        # A page takes the title out of the figure and puts it above, where it wraps.
        "meta": {"title_band": TITLE_BAND, "least_width": least_width, "linked": linked}
        | ({"lights": lights} if lights else {}),
    }
    return house | settings


def axis(title: str, *, colour: str = INK, **settings: object) -> dict[str, Any]:
    """The common axis of interactive figures, overridden by `settings`."""
    house = {
        "title": {"text": title, "standoff": 6, "font": {"size": 12, "color": colour}},
        "tickfont": {"size": 11, "color": colour},
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": AXIS,
        "linecolor": AXIS,
        "showline": True,
        "zeroline": False,
        "gridcolor": GRID,
    }
    return house | settings


def log_scale(values: ArrayLike, most: int = 6) -> dict[str, Any]:
    """Settings of a logarithmic axis that holds the positive `values`, with at most that many round ticks."""
    low, high = _spread(values)
    ticks = log_ticks(low, high, most)
    return {
        "type": "log",
        "range": [math.log10(low), math.log10(high)],
        "tickvals": ticks,
        "ticktext": [tick_label(tick) for tick in ticks],
    }


def _spread(values: ArrayLike) -> tuple[float, float]:
    """The least and the largest positive value, with a little room at both ends."""
    numbers = np.asarray(values, dtype=np.float64)
    positive = numbers[np.isfinite(numbers) & (numbers > 0)]
    low, high = (float(positive.min()), float(positive.max())) if positive.size else (1.0, 10.0)
    room = max(2.0 if low == high else LEAST_ROOM, (high / low) ** 0.04)
    return low / room, high * room


def round_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from low to high, evenly spaced: at most `most`."""
    found = MaxNLocator(most - 1, steps=[1, 2, 5, 10]).tick_values(low, high)
    return [float(tick) for tick in found if low <= tick * (1 + 1e-9) and tick <= high * (1 + 1e-9)]


def log_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from low to high for a logarithmic scale: at 1, 2 and 5, at powers of ten, or within one decade."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1, 2, 5), (1, 3), (1,)):
        ticks = [digit * 10.0**power for power in powers for digit in digits if low <= digit * 10.0**power <= high]
        if len(ticks) < LEAST_TICKS:
            return round_ticks(low, high, most)
        if len(ticks) <= most:
            return ticks
    return ticks[:: math.ceil(len(ticks) / most)]


def note(
    text: str, x: float, y: float, *, below: bool = False, shift: int = 2, colour: str = INK, size: int = 12
) -> dict[str, Any]:
    """An annotation that begins at x and stands above y, or below it, as shares of the plot area.

    shift: screen pixels by which it is moved up.
    """
    return {
        "text": text,
        "x": x,
        "y": y,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "top" if below else "bottom",
        "yshift": shift,
        "align": "left",
        "showarrow": False,
        "font": {"size": size, "color": colour},
    }


def sentence_when_empty(sentence: str, *, empty: bool) -> dict[str, Any]:
    """An annotation in the middle of a figure that has nothing to show.

    It is always part of the figure, visible or not, so that an update in place can hide it again.
    """
    return {
        "text": sentence,
        "visible": empty,
        "x": 0.5,
        "y": 0.5,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "center",
        "yanchor": "middle",
        "showarrow": False,
        "font": {"size": 15, "color": GUIDE},
    }
