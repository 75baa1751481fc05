"""Where do codes lie among the tokens they stand for, learned ones beside those of a grid?"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
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

from lgq_explore.errors import InputError

from .net import broken_line, line_ends
from .style import (
    GUIDE,
    RARE_COLOURS,
    VERMILION,
    Title,
    axis,
    layout,
    live_text,
    new_figure,
    note,
    printed_text,
    publication_style,
    publish_title,
)

COLOUR_SCALE = "viridis"
TOKEN, TOKEN_OPACITY = "#8C96A3", 0.3
NET, NET_OPACITY = "#5F6B7A", 0.5
HOLLOW = "#9B9B9B"
HOLLOW_SHRINK = 0.7
"""Codes without a value stand back: their markers are smaller by this."""

MARGIN = 0.04
"""Empty border of a map, as a share of its extent."""

MOST_HOVER_TEXTS = 4096
"""Codes up to which each carries a text of its own to hover over; more would be most of what is sent to the page."""

MOST_PRINTED_TOKENS, PRINTED_DPI = 6000, 80
"""What keeps a printed map under some hundred kilobytes: notebooks hold several."""

HEIGHT, NOTE_LINE = 480, 15
"""Screen pixels: of a map with its title, and of a line of the notes below."""


@dataclass(frozen=True)
class CodeColour:
    """What codes are coloured by: a column of their frame, its name with the unit, and what a code without value is."""

    column: str
    title: str
    without: str
    log: bool = False


CODE_COLOURS = {
    "usage": CodeColour("count", "tokens a code", "unused", log=True),
    "drift": CodeColour("drift", "distance moved since the first snapshot", "without snapshots"),
    "last_move": CodeColour("last_move", "distance moved since the snapshot before", "without a snapshot before"),
    "density": CodeColour("log_density", "log density of tokens", "without tokens near"),
    "anisotropy": CodeColour("anisotropy", "anisotropy of the cell, 1 is round", "with too few tokens to tell"),
    "split_temperature": CodeColour("split_temperature", "split temperature", "without a split temperature", log=True),
}
"""What codes can be coloured by, and how that is shown."""


@dataclass(frozen=True, eq=False)
class MapPane:
    """One map: a codebook among the tokens of its run.

    heading: whose codes, how many. codes: code, x, y and the columns of CODE_COLOURS; without a value, or with a usage
    of 0, they are hollow. tokens: x, y. edges: code, neighbour, to be joined by lines. axes: the titles. span: x from,
    x to, y from, y to of all that is to fit in. under: sentences below; warning: one more, in a colour that warns.
    selectable: whether codes can be picked. tokens_in_all: N, of which `tokens` are those to be drawn.
    """

    heading: str
    codes: pd.DataFrame
    tokens: pd.DataFrame
    edges: pd.DataFrame
    axes: tuple[str, str]
    span: tuple[float, float, float, float]
    under: tuple[str, ...] = ()
    warning: str = ""
    selectable: bool = True
    tokens_in_all: int | None = None


def draw_latent_map(
    panes: Sequence[MapPane],
    colour: str = "usage",
    *,
    selected: Sequence[int] = (),
    shared_axes: bool = False,
) -> go.Figure:
    """One map, or two side by side, under one colour bar; a lasso picks codes of those that can be picked.

    Traces of each pane: tokens, lines, hollow codes, coloured codes, marks of the selected ones. shared_axes: both are
    of one map, and are moved together.

    Raises:
        InputError: no panes or more than two, another colour, frames without their columns, or axes to be shared by
        panes whose tokens lie elsewhere.
    """
    _check(panes, colour, shared_axes)
    scale = _scale(panes, CODE_COLOURS[colour])
    domains = [(0.0, 0.465), (0.535, 1.0)] if len(panes) == 2 else [(0.0, 1.0)]
    foot = _foot(panes, 72 if len(panes) == 2 else 150)
    traces: list[Any] = []
    axes: dict[str, Any] = {}
    notes: list[dict[str, Any]] = []
    for number, (pane, domain) in enumerate(zip(panes, domains, strict=True)):
        name = "2" if number else ""
        traces += _traces(pane, CODE_COLOURS[colour], selected, name)
        axes |= _axes(pane, domain, name, is_shared=shared_axes and number == 1)
        notes.append(note(f"<b>{live_text(pane.heading)}</b>", domain[0], 1.0, shift=0, size=13))
        notes += _foot_notes(foot[number], domain)
    lines = max(len(said.lines) + len(said.warning) for said in foot)
    house = layout(
        _title(panes, len(panes[0].tokens)),
        height=HEIGHT + NOTE_LINE * lines,
        margin={"l": 56, "r": 84, "t": 72, "b": 62 + NOTE_LINE * lines},
        showlegend=False,
        hovermode="closest",
        dragmode="lasso",
        coloraxis=_colour_axis(scale, CODE_COLOURS[colour]),
        annotations=notes,
        **axes,
    )
    house["modebar"] = {"remove": ["zoomIn", "zoomOut", "autoScale", "toImage"], "bgcolor": "rgba(0,0,0,0)"}
    return go.Figure(traces, house)


def publish_latent_map(
    panes: Sequence[MapPane],
    colour: str = "usage",
    *,
    selected: Sequence[int] = (),
    shared_axes: bool = False,
) -> Figure:
    """What `draw_latent_map` shows, to print. Arguments and errors are the same."""
    _check(panes, colour, shared_axes)
    kind = CODE_COLOURS[colour]
    scale = _scale(panes, kind)
    foot = _foot(panes, 84 if len(panes) == 2 else 76)
    lines = max(len(said.lines) + len(said.warning) for said in foot)
    with publication_style():
        width, height = 5.2 * len(panes) + 0.7, 5.0 + 0.17 * lines
        figure = new_figure(width, height, dpi=PRINTED_DPI, palette=RARE_COLOURS)
        places = figure.subplots(
            2, len(panes) + 1, width_ratios=[30] * len(panes) + [1], height_ratios=[4.4, 0.17 * max(1, lines)]
        )
        for column, (pane, said) in enumerate(zip(panes, foot, strict=True)):
            _publish_pane(places[0, column], pane, kind, scale, selected)
            _publish_foot(places[1, column], said)
        places[1, -1].axis("off")
        bar = figure.colorbar(ScalarMappable(Normalize(scale.low, scale.high), COLOUR_SCALE), cax=places[0, -1])
        bar.set_label(kind.title)
        bar.set_ticks(scale.ticks, labels=scale.labels)
        bar.outline.set_visible(False)
        publish_title(figure, _title(panes, len(_thinned(panes[0].tokens))))
    return figure


def _title(panes: Sequence[MapPane], drawn: int) -> Title:
    first = panes[0]
    return Title(
        "The shape of a codebook", f"{drawn:,d} of {first.tokens_in_all or len(first.tokens):,d} tokens in grey"
    )


def _thinned(tokens: pd.DataFrame) -> pd.DataFrame:
    """Every n-th token: a printed picture shows no more, and would grow with every speck."""
    return tokens.iloc[:: max(1, math.ceil(len(tokens) / MOST_PRINTED_TOKENS))]


@dataclass(frozen=True)
class _Scale:
    """Ends of the colour scale and its ticks, logarithms to base 10 where the colour is logarithmic."""

    low: float
    high: float
    ticks: list[float]
    labels: list[str]


@dataclass(frozen=True)
class _Foot:
    lines: list[str]
    warning: list[str]


def _check(panes: Sequence[MapPane], colour: str, shared_axes: bool) -> None:
    if len(panes) not in (1, 2):
        raise InputError(f"{len(panes)} maps to draw: give one, or two to stand side by side")
    if colour not in CODE_COLOURS:
        raise InputError(f"colour is {colour!r}: choose one of {', '.join(CODE_COLOURS)}")
    for pane in panes:
        missing = {"code", "x", "y"} - set(pane.codes.columns) | {"x", "y"} - set(pane.tokens.columns)
        if missing:
            raise InputError(f"a map's frames lack the columns {sorted(missing)}: give those of analysis.latent_map")
    if shared_axes and any(not pane.tokens[["x", "y"]].equals(panes[0].tokens[["x", "y"]]) for pane in panes):
        raise InputError(
            "the maps hold different tokens: two runs have axes of their own, which say nothing about each other"
        )


def _values(codes: pd.DataFrame, kind: CodeColour) -> NDArray[np.float64]:
    """What is coloured, [K]: NaN where a code has no value, and where a logarithm has none."""
    if kind.column not in codes.columns:
        return np.full(len(codes), math.nan)
    values = codes[kind.column].to_numpy(dtype=np.float64, na_value=math.nan)
    if not kind.log:
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(values > 0, np.log10(values), math.nan)


def _scale(panes: Sequence[MapPane], kind: CodeColour) -> _Scale:
    """One for all panes, so that a colour is one number."""
    values = np.concatenate([_values(pane.codes, kind) for pane in panes])
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    if kind.column in ("count", "drift", "last_move"):
        low = 0.0
    if high <= low:  # all the same: any scale will do
        high = low + 1
    if not kind.log:
        ticks = np.linspace(low, high, 5)
        return _Scale(low, high, ticks.tolist(), [f"{tick:.3g}".replace("-", "−") for tick in ticks])
    numbers = [digit * 10.0**power for power in range(math.floor(low), math.ceil(high) + 1) for digit in (1, 2, 5)]
    shown = [number for number in numbers if low - 1e-9 <= math.log10(number) <= high + 1e-9]
    return _Scale(low, high, [math.log10(number) for number in shown], [f"{number:,g}" for number in shown])


def _colour_axis(scale: _Scale, kind: CodeColour) -> dict[str, Any]:
    return {
        "colorscale": COLOUR_SCALE,
        "cmin": scale.low,
        "cmax": scale.high,
        "colorbar": {
            "title": {"text": kind.title, "side": "right", "font": {"size": 12}},
            "tickvals": scale.ticks,
            "ticktext": scale.labels,
            "tickfont": {"size": 11},
            "thickness": 12,
            "outlinewidth": 0,
            "x": 1.01,
        },
    }


def _traces(pane: MapPane, kind: CodeColour, selected: Sequence[int], name: str) -> list[Any]:
    on_axes: dict[str, Any] = {"xaxis": "x" + name, "yaxis": "y" + name}
    values = _values(pane.codes, kind)
    has_value = np.isfinite(values)
    size = _marker_size(len(pane.codes))
    lines = broken_line(line_ends(pane.codes, pane.edges))
    marked = pane.codes[pane.codes["code"].isin(selected if pane.selectable else [])]
    # A selection is marked by rings: plotly would make all that is not selected faint, and keep it so.
    plain: dict[str, Any] = {"unselected": {"marker": {"opacity": 1}}}
    plain_tokens: dict[str, Any] = {"unselected": {"marker": {"opacity": TOKEN_OPACITY}}}
    return [
        go.Scattergl(
            x=_bytes(pane.tokens["x"]), y=_bytes(pane.tokens["y"]), mode="markers", hoverinfo="skip", name="tokens",
            marker={"size": 2.5, "color": TOKEN, "opacity": TOKEN_OPACITY}, **on_axes, **plain_tokens,
        ),
        go.Scattergl(
            x=lines[0], y=lines[1], mode="lines", hoverinfo="skip", name="grid",
            line={"color": NET, "width": 0.6}, opacity=NET_OPACITY, **on_axes,
        ),
        go.Scattergl(
            **_points(pane, ~has_value), mode="markers", name=kind.without,
            marker={"size": HOLLOW_SHRINK * size, "color": "white", "line": {"color": HOLLOW, "width": 1}},
            hovertemplate=f"{_hovered_code(pane)}<br>{kind.without}<extra></extra>",
            text=_texts(pane, ~has_value), **on_axes, **plain,
        ),
        go.Scattergl(
            **_points(pane, has_value), mode="markers", name=live_text(pane.heading),
            marker={"size": size, "color": values[has_value].astype(np.float32), "coloraxis": "coloraxis",
                    "line": {"color": "white", "width": 0.5 if size > 4 else 0}},
            hovertemplate=f"{_hovered_code(pane)}<extra></extra>",
            text=_texts(pane, has_value, kind), **on_axes, **plain,
        ),
        go.Scattergl(
            x=_bytes(marked["x"]), y=_bytes(marked["y"]), mode="markers", hoverinfo="skip", name="selected",
            marker={"size": size + 6, "symbol": "circle-open", "color": VERMILION, "line": {"width": 2}},
            **on_axes, **plain,
        ),
    ]  # fmt: skip


def _points(pane: MapPane, chosen: NDArray[np.bool_]) -> dict[str, Any]:
    codes = pane.codes[chosen]
    points: dict[str, Any] = {"x": _bytes(codes["x"]), "y": _bytes(codes["y"])}
    return points | {"customdata": codes["code"].to_numpy(dtype=np.int32)} if pane.selectable else points


def _hovered_code(pane: MapPane) -> str:
    """What plotly says of the code under the pointer, from the text that it has of its own, or else its number."""
    if len(pane.codes) <= MOST_HOVER_TEXTS:
        return "code %{text}"
    return "code %{customdata}" if pane.selectable else "a code"


def _bytes(column: pd.Series) -> NDArray[np.float32]:
    """What plotly sends as bytes."""
    return column.to_numpy(dtype=np.float32)


def _texts(pane: MapPane, chosen: NDArray[np.bool_], kind: CodeColour | None = None) -> list[str] | None:
    """What each code says of itself: its number, and its value where it has one; None where codes are too many."""
    if len(pane.codes) > MOST_HOVER_TEXTS:
        return None
    codes = pane.codes[chosen]
    if kind is None or kind.column not in codes:
        return [f"{code:,d}" for code in codes["code"]]
    shown = zip(codes["code"], codes[kind.column], strict=True)
    return [f"{code:,d}<br>{kind.title}: {value:,.4g}" for code, value in shown]


def _marker_size(codes: int) -> float:
    return 7 if codes <= 2048 else 5 if codes <= 8192 else 3.5


def _axes(pane: MapPane, domain: tuple[float, float], name: str, *, is_shared: bool) -> dict[str, Any]:
    left, right, bottom, top = _framed(pane.span)
    x: dict[str, Any] = {"domain": domain, "anchor": "y" + name, "constrain": "domain", "nticks": 6}
    y: dict[str, Any] = {"anchor": "x" + name, "constrain": "domain", "nticks": 6}
    # Distances mean the same along both axes.
    x |= {"matches": "x"} if is_shared else {"range": [left, right]}
    y |= {"matches": "y"} if is_shared else {"range": [bottom, top], "scaleanchor": "x" + name}
    return {"xaxis" + name: axis(pane.axes[0], **x), "yaxis" + name: axis(pane.axes[1], **y)}


def _framed(span: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    left, right, bottom, top = span
    border = MARGIN * max(right - left, top - bottom, 1e-9)
    return left - border, right + border, bottom - border, top + border


def _foot(panes: Sequence[MapPane], width: int) -> list[_Foot]:
    return [
        _Foot([line for said in pane.under for line in textwrap.wrap(said, width)], textwrap.wrap(pane.warning, width))
        for pane in panes
    ]


def _foot_notes(foot: _Foot, domain: tuple[float, float]) -> list[dict[str, Any]]:
    under_the_axis, under_the_lines = -46, -46 - NOTE_LINE * len(foot.lines)
    return [
        note("<br>".join(lines), domain[0], 0.0, below=True, shift=shift, colour=colour, size=11)
        for lines, shift, colour in (
            (foot.lines, under_the_axis, GUIDE),
            (foot.warning, under_the_lines, VERMILION),
        )
    ]


def _publish_pane(axes: Axes, pane: MapPane, kind: CodeColour, scale: _Scale, selected: Sequence[int]) -> None:
    values = _values(pane.codes, kind)
    has_value = np.isfinite(values)
    size = _marker_size(len(pane.codes)) ** 2 * 0.5
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
    left, right, bottom, top = _framed(pane.span)
    axes.set(xlim=(left, right), ylim=(bottom, top), xlabel=pane.axes[0], ylabel=pane.axes[1])
    axes.set_aspect("equal", adjustable="box", anchor="NW")
    axes.set_title(printed_text(pane.heading), loc="left", fontsize="medium", fontweight="bold")
    axes.grid(visible=False)


def _publish_foot(axes: Axes, foot: _Foot) -> None:
    axes.axis("off")
    text: dict[str, Any] = {"ha": "left", "va": "top", "fontsize": "small", "linespacing": 1.3, "in_layout": False}
    axes.text(0, 1, "\n".join(foot.lines), color=GUIDE, **text)
    axes.text(0, 1, "\n" * len(foot.lines) + "\n".join(foot.warning), color=VERMILION, **text)
