"""Maps of codes among their tokens, learned ones beside those of a grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray
from plotly.colors import get_colorscale

from ..live import Trace, live_figure
from ..paper import fitting_columns, fitting_height, fitting_letters, line_inches, present_paper
from ..printing import RARE_COLOURS, figure_of_size, publication_style, publish_title
from ..style import (
    GUIDE,
    ON_CANVAS,
    ON_GROUND,
    ON_TOP,
    PAPER,
    VERMILION,
    Title,
    axis,
    layout,
    live_text,
    note,
    printed_text,
)
from .net import broken_line, line_ends
from .panes import (
    CODE_COLOURS,
    CodeColour,
    ColourScale,
    Foot,
    MapPane,
    check_panes,
    colour_scale,
    colour_values,
    feet,
    framed,
    marker_size,
)

COLOUR_SCALE = "viridis"
TOKEN, TOKEN_OPACITY = "#8C96A3", 0.3
NET, NET_OPACITY = GUIDE, 0.5
HOLLOW = "#9B9B9B"
HOLLOW_SHRINK = 0.7
"""Size of the markers of codes without a value, as a share of the others."""

MOST_HOVER_TEXTS = 4096
"""Most codes with a hover text each: of more codes, texts would be most of what is sent to the page."""

BAR_INCHES, HEADING_INCHES = 0.7, 0.4
"""Room for the colour bar and for the title of a printed map."""
FOOT_SPACING = 1.3
MOST_PRINTED_TOKENS, PRINTED_DPI = 6000, 80
"""Limits that keep a printed map to about a hundred kilobytes, since notebooks hold several."""

HEIGHT, HEIGHT_ALONE, NOTE_LINE = 450, 530, 15
"""Heights in screen pixels of a map with its title and colour bar, beside another or alone, and of a line of a warning
below. A map is a square, so that one alone has the width for more height."""

WARNING_WIDTH = 66
"""Characters of the warning that fit below a map of half a notebook's width."""


def draw_latent_maps(
    panes: Sequence[MapPane],
    colour: str = "usage",
    *,
    selected: Sequence[int] = (),
    shared_axes: bool = False,
) -> list[go.Figure]:
    """Maps to stand side by side, on one colour scale. A lasso selects codes in panes that are selectable.

    Traces of each: tokens, lines, hollow codes, coloured codes, marks of the selected ones. shared_axes: all are of one
    map, and the page moves them together. The sentences under a pane are not drawn, but its warning.

    Raises:
        InputError: no panes or more than two, another colour, a column is missing, or shared axes for panes of
            different tokens.
    """
    check_panes(panes, colour, shared_axes)
    scale = colour_scale(panes, CODE_COLOURS[colour])
    feet_of = feet(panes, WARNING_WIDTH)
    lines = max(len(foot.warning) for foot in feet_of)
    height = NOTE_LINE * lines + (HEIGHT_ALONE if len(panes) == 1 else HEIGHT)
    return [
        live_figure(
            _traces(pane, CODE_COLOURS[colour], selected),
            layout(
                Title(pane.heading, _tokens_drawn(pane, len(pane.tokens))),
                height=height,
                margin={"l": 56, "r": 20, "t": 88, "b": 58 + NOTE_LINE * lines},
                showlegend=False,
                hovermode="closest",
                dragmode="lasso" if pane.selectable else "pan",
                coloraxis=_colour_axis(scale, CODE_COLOURS[colour]),
                annotations=_warning_note(foot),
                linked="map" if shared_axes else "",
                least_width=400,
                **_axes(pane),
            ),
        )
        for pane, foot in zip(panes, feet_of, strict=True)
    ]


def mark_codes(pane: MapPane, selected: Sequence[int]) -> go.Figure:
    """The marks of selected codes, on top of what `draw_latent_maps` draws; none in a pane that isn't selectable."""
    return live_figure([_marks(pane, selected)], {})


def publish_latent_map(
    panes: Sequence[MapPane],
    colour: str = "usage",
    *,
    selected: Sequence[int] = (),
    shared_axes: bool = False,
) -> Figure:
    """What `draw_latent_maps` shows, and the sentences under each, to print. Arguments and errors are the same."""
    check_panes(panes, colour, shared_axes)
    kind = CODE_COLOURS[colour]
    scale = colour_scale(panes, kind)
    columns = fitting_columns(len(panes))
    rows = len(panes) // columns
    with publication_style():
        width = present_paper().inches or 5.2 * columns + BAR_INCHES
        side = (width - BAR_INCHES) / columns
        foot = feet(panes, fitting_letters(0.92 * side))
        words = FOOT_SPACING * line_inches("small") * max(1, *(len(said.lines) + len(said.warning) for said in foot))
        height = fitting_height(HEADING_INCHES + rows * (0.97 * side + words))
        figure = figure_of_size(width, height, dpi=PRINTED_DPI, palette=RARE_COLOURS)
        of_a_map = 0.93 * ((height - HEADING_INCHES) / rows - words)
        ratios: dict[str, Any] = {"width_ratios": [30] * columns + [1], "height_ratios": [of_a_map, words] * rows}
        places = figure.subplots(2 * rows, columns + 1, squeeze=False, **ratios)
        for number, (pane, said) in enumerate(zip(panes, foot, strict=True)):
            row, column = divmod(number, columns)
            _publish_pane(places[2 * row, column], pane, kind, scale, selected)
            _publish_foot(places[2 * row + 1, column], said)
        for spare in places[1:, -1]:
            spare.axis("off")
        bar = figure.colorbar(ScalarMappable(Normalize(scale.low, scale.high), COLOUR_SCALE), cax=places[0, -1])
        bar.set_label(kind.title)
        bar.set_ticks(scale.ticks, labels=scale.labels)
        bar.outline.set_visible(False)
        shown = len(_thinned(panes[0].tokens))
        publish_title(figure, Title("The shape of a codebook", _tokens_drawn(panes[0], shown)))
    return figure


def _tokens_drawn(pane: MapPane, drawn: int) -> str:
    return f"{drawn:,d} of {pane.tokens_in_all or len(pane.tokens):,d} tokens in grey"


def _thinned(tokens: pd.DataFrame) -> pd.DataFrame:
    """Every n-th token, at most MOST_PRINTED_TOKENS: each one adds to the size of a printed picture."""
    return tokens.iloc[:: max(1, math.ceil(len(tokens) / MOST_PRINTED_TOKENS))]


def _colour_axis(scale: ColourScale, kind: CodeColour) -> dict[str, Any]:
    return {
        "colorscale": get_colorscale(COLOUR_SCALE),
        "cmin": scale.low,
        "cmax": scale.high,
        "colorbar": {
            "title": {"text": kind.title, "side": "top", "font": {"size": 12}},
            "tickvals": scale.ticks,
            "ticktext": scale.labels,
            "tickfont": {"size": 11},
            "orientation": "h",
            "thickness": 8,
            "outlinewidth": 0,
            "xpad": 0,
            "ypad": 4,
            "y": 1,
            "yanchor": "bottom",
        },
    }


def _traces(pane: MapPane, kind: CodeColour, selected: Sequence[int]) -> list[Trace]:
    values = colour_values(pane.codes, kind)
    has_value = np.isfinite(values)
    size = marker_size(len(pane.codes))
    lines = broken_line(line_ends(pane.codes, pane.edges))
    # A selection is marked by rings, because plotly would fade everything that is not selected, permanently.
    points: Trace = {"type": "scattergl", "mode": "markers", "unselected": {"marker": {"opacity": 1}}}
    return [
        {
            "type": "scattergl", "x": _bytes(pane.tokens["x"]), "y": _bytes(pane.tokens["y"]), "mode": "markers",
            "hoverinfo": "skip", "name": "tokens", "meta": ON_GROUND,
            "marker": {"size": 2.5, "color": TOKEN, "opacity": TOKEN_OPACITY},
            "unselected": {"marker": {"opacity": TOKEN_OPACITY}},
        },
        {
            "type": "scattergl", "x": lines[0], "y": lines[1], "mode": "lines", "hoverinfo": "skip", "name": "grid",
            "meta": ON_CANVAS, "line": {"color": NET, "width": 0.6}, "opacity": NET_OPACITY,
        },
        {
            **points, **_points(pane, ~has_value), **_texts(pane, ~has_value), "name": kind.without, "meta": ON_CANVAS,
            "marker": {"size": HOLLOW_SHRINK * size, "color": PAPER, "line": {"color": HOLLOW, "width": 1}},
            "hovertemplate": f"{_hovered_code(pane)}<br>{kind.without}<extra></extra>",
        },
        {
            **points, **_points(pane, has_value), **_texts(pane, has_value, kind), "name": live_text(pane.heading),
            "meta": ON_CANVAS,
            "marker": {"size": size, "color": values[has_value].astype(np.float32), "coloraxis": "coloraxis",
                       "line": {"color": PAPER, "width": 0.5 if size > 4 else 0}},
            "hovertemplate": f"{_hovered_code(pane)}<extra></extra>",
        },
        _marks(pane, selected),
    ]  # fmt: skip


def _marks(pane: MapPane, selected: Sequence[int]) -> Trace:
    marked = pane.codes[pane.codes["code"].isin(selected if pane.selectable else [])]
    return {
        "type": "scattergl", "x": _bytes(marked["x"]).tolist(), "y": _bytes(marked["y"]).tolist(), "mode": "markers",
        "hoverinfo": "skip", "name": "selected", "meta": ON_TOP,
        "marker": {"size": marker_size(len(pane.codes)) + 6, "symbol": "circle-open", "color": VERMILION,
                   "line": {"width": 2}},
    }  # fmt: skip


def _points(pane: MapPane, chosen: NDArray[np.bool_]) -> dict[str, Any]:
    codes = pane.codes[chosen]
    points: dict[str, Any] = {"x": _bytes(codes["x"]), "y": _bytes(codes["y"])}
    return points | {"customdata": codes["code"].to_numpy(dtype=np.int32)} if pane.selectable else points


def _hovered_code(pane: MapPane) -> str:
    """Hover template of a code: its own text, or its number where codes are too many."""
    if len(pane.codes) <= MOST_HOVER_TEXTS:
        return "code %{text}"
    return "code %{customdata}" if pane.selectable else "a code"


def _bytes(column: pd.Series) -> NDArray[np.float32]:
    """A column as float32, which plotly sends as bytes."""
    return column.to_numpy(dtype=np.float32)


def _texts(pane: MapPane, chosen: NDArray[np.bool_], kind: CodeColour | None = None) -> Trace:
    """Hover text of each code: its number, and its value if it has one. Nothing where codes are too many."""
    if len(pane.codes) > MOST_HOVER_TEXTS:
        return {}
    codes = pane.codes[chosen]
    if kind is None or kind.column not in codes:
        return {"text": [f"{code:,d}" for code in codes["code"]]}
    shown = zip(codes["code"], codes[kind.column], strict=True)
    return {"text": [f"{code:,d}<br>{kind.title}: {value:,.4g}" for code, value in shown]}


def _axes(pane: MapPane) -> dict[str, Any]:
    left, right, bottom, top = framed(pane.span)
    house: dict[str, Any] = {"constrain": "domain", "nticks": 6}
    # Distances mean the same along both axes.
    return {
        "xaxis": axis(pane.axes[0], range=[left, right], **house),
        "yaxis": axis(pane.axes[1], range=[bottom, top], scaleanchor="x", **house),
    }


def _warning_note(foot: Foot) -> list[dict[str, Any]]:
    said = "<br>".join(foot.warning)
    return [note(said, 0.0, 0.0, below=True, shift=-44, colour=VERMILION, size=11)] if said else []


def _publish_pane(axes: Axes, pane: MapPane, kind: CodeColour, scale: ColourScale, selected: Sequence[int]) -> None:
    values = colour_values(pane.codes, kind)
    has_value = np.isfinite(values)
    size = marker_size(len(pane.codes)) ** 2 * 0.5
    tokens = _thinned(pane.tokens)
    axes.scatter(tokens["x"], tokens["y"], s=3, color=TOKEN, alpha=TOKEN_OPACITY, linewidths=0, rasterized=True)
    net = LineCollection(
        list(line_ends(pane.codes, pane.edges)), colors=NET, linewidths=0.4, alpha=NET_OPACITY, rasterized=True
    )
    axes.add_collection(net)
    hollow, coloured = pane.codes[~has_value], pane.codes[has_value]
    axes.scatter(
        hollow["x"], hollow["y"], s=size * HOLLOW_SHRINK**2, facecolors="white", edgecolors=HOLLOW, linewidths=0.6
    )
    axes.scatter(
        coloured["x"], coloured["y"], s=size, c=values[has_value], cmap=COLOUR_SCALE, vmin=scale.low, vmax=scale.high,
        edgecolors="white", linewidths=0.2,
    )  # fmt: skip
    marked = pane.codes[pane.codes["code"].isin(selected if pane.selectable else [])]
    axes.scatter(marked["x"], marked["y"], s=3 * size, facecolors="none", edgecolors=VERMILION, linewidths=1.4)
    left, right, bottom, top = framed(pane.span)
    axes.set(xlim=(left, right), ylim=(bottom, top), xlabel=pane.axes[0], ylabel=pane.axes[1])
    axes.set_aspect("equal", adjustable="box", anchor="NW")
    axes.set_title(printed_text(pane.heading), loc="left", fontsize="medium", fontweight="bold")
    axes.grid(visible=False)


def _publish_foot(axes: Axes, foot: Foot) -> None:
    axes.axis("off")
    text: dict[str, Any] = {
        "ha": "left",
        "va": "top",
        "fontsize": "small",
        "linespacing": FOOT_SPACING,
        "in_layout": False,
    }
    axes.text(0, 1, "\n".join(foot.lines), color=GUIDE, **text)
    axes.text(0, 1, "\n" * len(foot.lines) + "\n".join(foot.warning), color=VERMILION, **text)
