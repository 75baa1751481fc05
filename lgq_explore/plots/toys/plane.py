"""Hard and soft cells of a plane, with their codes."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lgq_explore.errors import InputError
from lgq_explore.frames.toys import PLANE_CODES, SOFT_CODES

from ..contrast import ink_on
from ..geometry.net import broken_line, line_ends
from ..live import Trace, live_figure
from ..pictures.images import png_uri
from ..printing import EVEN_COLOURS, panel_grid, publication_style, publish_title
from ..style import GUIDE, INK, PAPER, Title, layout, note

GOLDEN_TURN = (3 - math.sqrt(5)) / 2
PALE = 0.55
"""Share of a code's colour in the field; the rest is white, so that points and codes stand out."""
EDGE = 0.45
"""Brightness of the line between two cells, as a share of the cell's."""
SMALLEST, LARGEST = 9, 34
"""Screen pixels of a code that holds next to nothing, and of one that holds everything."""
NET_OPACITY = 0.6
GAP = 0.02
PLANES_HEIGHT, CURVE_HEIGHT = 322, 190
"""Screen pixels of the planes, which are then as wide as high in a notebook's cell, and of a curve below them."""
LEAST_PLANE = 1.5
"""Inches that a printed plane needs."""
PICTURE_WIDTH, POINT = 1000, 12
"""Of a picture of points, and the diameter of a point in it."""
POINTS_SHOWN = 400
"""Most points drawn: more would hide the field."""


@dataclass(frozen=True, eq=False)
class PlanePanel:
    """One square plane. field: [rows, columns] codes, or [rows, columns, K] responsibilities, rows from the lowest y.

    x, y: centres of the pixels. codes: those of `analysis.toys.hard_codes` or `soft_codes`. edges: pairs of codes to
    be joined by lines, `frames.geometry.EDGES`. Without field and codes, while they are computed, only the points are
    drawn.
    """

    heading: str
    field: NDArray[Any] | None
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    codes: pd.DataFrame | None
    edges: pd.DataFrame | None = None

    @cached_property
    def field_uri(self) -> str | None:
        """The picture of the field as a data URI; None without a field. Raises InputError as `drawn_codes` does."""
        return None if self.field is None else png_uri(field_picture(self.field, len(self.drawn_codes)))

    @cached_property
    def traces(self) -> list[Trace]:
        """Lines between codes, codes, and dead codes, without the names of their axes. Errors as of `drawn_codes`."""
        return _traces(self)

    @cached_property
    def drawn_codes(self) -> pd.DataFrame:
        """`codes`, or none of them. Raises InputError where a column is missing, or there are no rows."""
        if self.codes is None:
            return SOFT_CODES.frame({name: [] for name in SOFT_CODES.described})
        PLANE_CODES.require_rows(self.codes)
        return self.codes


def draw_toy_plane(panels: Sequence[PlanePanel], points: NDArray[np.floating], title: Title) -> go.Figure:
    """Planes side by side, each with its field of colours, the points [N, 2] and its codes, as large as their share.

    Hard cells have edges; soft ones mix the colours of the codes by their responsibilities. Three traces a panel:
    lines between codes, codes, and dead codes, as crosses. In layout.images are the fields, and the points on each.

    Raises:
        InputError: a column is missing, or points are not [N, 2].
    """
    shown = _shown(points)
    count = len(panels)
    width = (1 - GAP * (count - 1)) / count
    traces, images, notes = [], [], []
    axes: dict[str, Any] = {}
    for number, panel in enumerate(panels):
        name = str(number + 1) if number else ""
        left = number * (width + GAP)
        traces += [{**trace, "xaxis": "x" + name, "yaxis": "y" + name} for trace in panel.traces]
        ends = _ends(panel)
        side: dict[str, Any] = {"showgrid": False, "zeroline": False, "ticks": "", "showticklabels": False}
        side |= {"mirror": True, "showline": True, "linecolor": "#BBBBBB", "constrain": "domain", "automargin": False}
        axes["xaxis" + name] = {**side, "domain": [left, left + width], "anchor": "y" + name, "range": ends.x}
        # Free height is left below the planes, not between them and their headings.
        upward = {"scaleanchor": "x" + name, "constraintoward": "top"}
        axes["yaxis" + name] = {**side, **upward, "anchor": "x" + name, "range": ends.y}
        if panel.field_uri is not None:
            images.append(_image("field", panel.field_uri, panel, name))
        # Plotly takes two images with the same corner for one: this one is put at its other corner.
        other = {"x": ends.x[1], "xanchor": "right"}
        images.append(_image("points", _points_picture(panel, points[shown]), panel, name, **other))
        notes.append(note(panel.heading, left, 1.0, shift=4))
    return live_figure(
        traces,
        layout(
            title,
            height=PLANES_HEIGHT,
            least_width=600,
            margin={"l": 8, "r": 8, "t": 78, "b": 4},
            showlegend=False,
            dragmode=False,
            images=images,
            annotations=notes,
            **axes,
        ),
    )


def publish_toy_plane(panels: Sequence[PlanePanel], points: NDArray[np.floating], title: Title) -> Figure:
    """What `draw_toy_plane` shows, to print. Errors are the same."""
    shown = _shown(points)
    with publication_style():
        figure, grid = panel_grid(len(panels), len(panels), 3.5, 4.15, least=LEAST_PLANE, palette=EVEN_COLOURS)
        for axes, panel in zip(grid, panels, strict=True):
            _publish_panel(axes, panel, points[shown])
        publish_title(figure, title)
    return figure


def empty_place(title: Title) -> go.Figure:
    """The place of a figure whose data are still computed: its title, which says so, and no axes."""
    hidden = {"visible": False}
    return live_figure([], layout(title, height=CURVE_HEIGHT, xaxis=hidden, yaxis=hidden, dragmode=False))


def code_colours(codes: int) -> NDArray[np.float64]:
    """[K, 3] in [0, 1]: hues a golden turn apart, so that neighbours in number are far apart in colour."""
    hues = np.arange(codes) * GOLDEN_TURN % 1
    bright = (0.46, 0.62, 0.36)
    return np.array([colorsys.hls_to_rgb(hue, bright[code % 3], 0.72) for code, hue in enumerate(hues)])


def field_picture(field: NDArray[Any], codes: int) -> NDArray[np.uint8]:
    """[rows, columns, 3]: the colour of every pixel, from the highest y down, as a picture is stored.

    field: of a `PlanePanel`. Codes give their own colour and dark edges; responsibilities mix the colours.
    """
    colours = 1 - PALE * (1 - code_colours(codes))
    if field.ndim == 3:
        mixed = field @ colours
    else:
        mixed = colours[field]
        edge = np.zeros(field.shape, dtype=bool)
        edge[:-1] |= field[:-1] != field[1:]
        edge[:, :-1] |= field[:, :-1] != field[:, 1:]
        mixed[edge] *= EDGE
    return np.round(255 * mixed[::-1]).astype(np.uint8)


@dataclass(frozen=True)
class _Ends:
    x: list[float]
    y: list[float]


def _ends(panel: PlanePanel) -> _Ends:
    """The borders of the outermost pixels."""

    def borders(centres: NDArray[np.float64]) -> list[float]:
        half = (centres[1] - centres[0]) / 2
        return [float(centres[0] - half), float(centres[-1] + half)]

    return _Ends(borders(panel.x), borders(panel.y))


def _traces(panel: PlanePanel) -> list[Trace]:
    dead = _dead(panel.drawn_codes)
    live, lost = panel.drawn_codes[~dead], panel.drawn_codes[dead]
    colours = code_colours(len(panel.drawn_codes))[live["code"].to_numpy()]
    lines = broken_line(line_ends(panel.drawn_codes, panel.edges))
    held = zip(live["code"].tolist(), live["share"].tolist(), strict=True)
    return [
        {
            "type": "scatter",
            "x": lines[0],
            "y": lines[1],
            "mode": "lines",
            "line": {"color": INK, "width": 1},
            "opacity": NET_OPACITY,
            "hoverinfo": "skip",
            "name": "grid",
        },
        {
            "type": "scatter",
            "x": live["x"].to_numpy(),
            "y": live["y"].to_numpy(),
            "meta": live["code"].tolist(),
            "mode": "markers+text",
            "text": _together(live),
            "textfont": {"size": 12, "color": [ink_on(to_hex(colour)) for colour in colours]},
            "marker": {
                "size": _sizes(live),
                "color": [_css(colour) for colour in colours],
                "line": {"color": "white", "width": 1.5},
                "opacity": 1,
            },
            "hovertext": [f"code {code}: {share:.1%} of the points" for code, share in held],
            "hoverinfo": "text",
            "name": "codes",
        },
        {
            "type": "scatter",
            "x": lost["x"].to_numpy(),
            "y": lost["y"].to_numpy(),
            "meta": lost["code"].tolist(),
            "mode": "markers",
            "marker": {"size": 11, "symbol": "x", "color": "white", "line": {"color": INK, "width": 1.5}},
            "hovertext": [f"code {code} is dead: no point takes it" for code in lost["code"].tolist()],
            "hoverinfo": "text",
            "name": "dead codes",
        },
    ]


def _together(live: pd.DataFrame) -> list[str]:
    """The number of codes at each place, as the label of the last code there, which lies on top."""
    places = list(zip(live["x"].round(2).tolist(), live["y"].round(2).tolist(), strict=True))
    last = {place: code for code, place in enumerate(places)}
    counted = zip(places, live["together"].tolist(), strict=True)
    return [f"{codes}×" if last[place] == code and codes > 1 else "" for code, (place, codes) in enumerate(counted)]


def _points_picture(panel: PlanePanel, points: NDArray[np.floating]) -> str:
    """A data URI: hundreds of plotly's markers take longer to draw than all the rest. Without a field on white."""
    ends = _ends(panel)
    scale = PICTURE_WIDTH / (ends.x[1] - ends.x[0])
    across, down = scale * (points[:, 0] - ends.x[0]), scale * (ends.y[1] - points[:, 1])
    dots = "".join(f"M{x:.0f},{y:.0f}h0" for x, y in zip(across, down, strict=True))
    paper = f'<rect width="100%" height="100%" fill="{PAPER}"/>' if panel.field is None else ""
    height = round(scale * (ends.y[1] - ends.y[0]))
    size = f'width="{PICTURE_WIDTH}" height="{height}" viewBox="0 0 {PICTURE_WIDTH} {height}"'
    stroke = f'stroke="{INK}" stroke-opacity="0.4" stroke-width="{POINT}" stroke-linecap="round"'
    picture = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{paper}<path d="{dots}" {stroke}/></svg>'
    return "data:image/svg+xml," + quote(picture)


def _image(what: str, picture: str, panel: PlanePanel, name: str, **place: Any) -> dict[str, Any]:
    ends = _ends(panel)
    image = {
        "name": what,
        "source": picture,
        "xref": "x" + name,
        "yref": "y" + name,
        "x": ends.x[0],
        "y": ends.y[1],
        "sizex": ends.x[1] - ends.x[0],
        "sizey": ends.y[1] - ends.y[0],
        "sizing": "stretch",
        "layer": "below",
    }
    return image | place


def _publish_panel(axes: Axes, panel: PlanePanel, points: NDArray[np.floating]) -> None:
    ends, dead = _ends(panel), _dead(panel.drawn_codes)
    live, lost = panel.drawn_codes[~dead], panel.drawn_codes[dead]
    if panel.field is not None:
        # Dropping the lowest bits is invisible and halves the size of the file.
        picture = field_picture(panel.field, len(panel.drawn_codes)) & 0xF8
        extent = (ends.x[0], ends.x[1], ends.y[0], ends.y[1])
        axes.imshow(picture, extent=extent, interpolation="nearest", aspect="equal")
    axes.scatter(points[:, 0], points[:, 1], s=5, color=INK, alpha=0.3, linewidths=0)
    axes.add_collection(
        LineCollection(list(line_ends(panel.drawn_codes, panel.edges)), colors=INK, linewidths=0.8, alpha=NET_OPACITY)
    )
    colours = code_colours(len(panel.drawn_codes))[live["code"].to_numpy()]
    sizes = (0.72 * _sizes(live)) ** 2
    axes.scatter(live["x"], live["y"], s=sizes, c=colours, edgecolors="white", linewidths=1.2, zorder=3)
    for row, label, colour in zip(live.itertuples(), _together(live), colours, strict=True):
        axes.annotate(
            label, (row.x, row.y), color=ink_on(to_hex(colour)), ha="center", va="center", fontsize=8, zorder=4
        )
    axes.scatter(lost["x"], lost["y"], s=70, marker="X", color="white", edgecolors=INK, linewidths=1.2, zorder=3)
    axes.set(xlim=ends.x, ylim=ends.y, xticks=[], yticks=[])
    subject, _, detail = panel.heading.replace("<b>", "").replace("</b>", "").partition("<br>")
    axes.set_title(f"{subject}\n{_plain(detail)}", loc="left", fontsize="small", color=INK)
    for spine in axes.spines.values():
        spine.set_color(GUIDE)


def _plain(text: str) -> str:
    """A heading without the marks that only a browser reads."""
    return text.replace("<sub>", "").replace("</sub>", "").replace("<br>", "\n")


def _dead(codes: pd.DataFrame) -> NDArray[np.bool_]:
    return codes["dead"].to_numpy(dtype=bool) if "dead" in codes else np.zeros(len(codes), dtype=bool)


def _sizes(codes: pd.DataFrame) -> NDArray[np.float64]:
    """Marker sizes, by the share of tokens at a place; codes in one place count together."""
    held = (codes["share"] * codes["together"]).clip(upper=1)
    return SMALLEST + (LARGEST - SMALLEST) * np.sqrt(held.to_numpy(dtype=float))


def _css(colour: NDArray[np.float64]) -> str:
    red, green, blue = np.round(255 * colour).astype(int)
    return f"rgb({red},{green},{blue})"


def _shown(points: NDArray[np.floating]) -> NDArray[np.int64]:
    """Indices of the points that are drawn, evenly spread over all."""
    if points.ndim != 2 or points.shape[1] != 2:
        raise InputError(f"points have shape {list(points.shape)}: give points in the plane, [N, 2]")
    return np.linspace(0, len(points) - 1, min(len(points), POINTS_SHOWN)).round().astype(np.int64)
