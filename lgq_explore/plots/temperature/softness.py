"""Assignments of tokens at a temperature, and all that the temperature panel prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from plotly.colors import get_colorscale

from lgq_explore.errors import InputError
from lgq_explore.frames.temperature import MARKS, TOKEN_MAP, TOKENS, TOP_RESPONSIBILITIES

from ..live import live_figure
from ..paper import exact_percent, fitting_columns, present_paper
from ..printing import figure_of_size, publication_style, publish_title
from ..style import BLUE, ON_TOP, ORANGE, VERMILION, Title, axis, layout
from .sweep import SWEEP_PANELS, curves_of, publish_panel

HEIGHT = 240
"""Screen pixels of each chart below the sweep, so that all fit a screen."""
PRINTED_ACROSS = 3
"""Pictures in a row of a printed map of tokens."""
BINS = 40
"""Number of bars of a distribution: as many as can be told apart in half a cell."""
COLOUR_SCALE = get_colorscale("Cividis")


def draw_softness(tokens: pd.DataFrame, codebook_size: int) -> go.Figure:
    """Distributions of the largest responsibility and of the entropy, in bits, over the tokens. Two traces of bars.

    tokens: of `analysis.temperature.TemperatureProbe.at`.

    Raises:
        InputError: a column is missing, or there are no rows.
    """
    TOKENS.require_rows(tokens)
    bars = [_largest_bars(tokens), _entropy_bars(tokens, codebook_size)]
    names = ["", "2"]
    return live_figure(
        [
            {
                "type": "bar",
                "x": bar.left,
                "y": bar.share,
                "width": bar.width,
                "offset": 0,
                "marker": {"color": bar.colour, "line": {"width": 0}},
                "name": bar.title,
                "hovertemplate": "from %{x:.3~g}: %{y:.3~p} of the tokens<extra></extra>",
                "xaxis": "x" + name,
                "yaxis": "y" + name,
            }
            for bar, name in zip(bars, names, strict=True)
        ],
        layout(
            Title("How decided", f"N = {len(tokens):,d} tokens"),
            least_width=420,
            height=HEIGHT,
            bargap=0,
            showlegend=False,
            xaxis=axis(bars[0].title, domain=[0, 0.44], range=[0, 1], showgrid=False),
            yaxis=axis("share of tokens", rangemode="tozero", tickformat=".0%", nticks=6),
            xaxis2=axis(bars[1].title, domain=[0.56, 1], range=[0, bars[1].end], showgrid=False, anchor="y2"),
            yaxis2=axis("", rangemode="tozero", tickformat=".0%", nticks=6, anchor="x2"),
        ),
    )


def draw_top_responsibilities(top: pd.DataFrame, token: int) -> go.Figure:
    """The codes that share one token, as bars with the codes' numbers under them. One trace.

    top: of `analysis.temperature.TemperatureProbe.top`. token: its number, for the title.

    Raises:
        InputError: a column is missing, or there are no rows.
    """
    TOP_RESPONSIBILITIES.require_rows(top)
    rest = max(0.0, 1 - float(top["responsibility"].sum()))
    return live_figure(
        [
            {
                "type": "bar",
                "x": top["code"].astype(str).tolist(),
                "y": top["responsibility"].to_numpy(),
                "marker": {"color": BLUE},
                "customdata": top["code"].to_numpy(),
                "meta": top["distance"].tolist(),
                "hovertemplate": "code %{x}<br>responsibility %{y:.3~g}<extra></extra>",
                "name": "responsibility",
            }
        ],
        layout(
            Title(f"Who shares token {token}", f"all other codes {rest:.0%}"),
            height=HEIGHT,
            showlegend=False,
            xaxis=axis("code", type="category", showgrid=False),
            yaxis=axis("responsibility p", range=[0, 1]),
        ),
    )


def draw_token_map(placed: pd.DataFrame, token: int) -> go.Figure:
    """The largest responsibility of each token, on the latent grids of the pictures, side by side. One heat map.

    placed: of `analysis.temperature.token_map`. A cell's customdata is its token; `token` is framed.

    Raises:
        InputError: a column is missing, or there are no rows.
    """
    sheet = _token_sheet(placed)
    row, column = np.argwhere(sheet.tokens == token)[0] if (sheet.tokens == token).any() else (-1, -1)
    frame = {"type": "rect", "name": ON_TOP, "line": {"color": VERMILION, "width": 2}}
    corners = {"x0": column - 0.5, "x1": column + 0.5, "y0": row - 0.5, "y1": row + 0.5}
    return live_figure(
        [
            {
                "type": "heatmap",
                "z": sheet.largest,
                "customdata": sheet.tokens,
                "x": np.arange(sheet.largest.shape[1]),
                "y": np.arange(sheet.largest.shape[0]),
                "zmin": 0,
                "zmax": 1,
                "colorscale": COLOUR_SCALE,
                "hoverongaps": False,
                "colorbar": {"orientation": "h", "thickness": 10, "len": 0.5, "x": 0, "xanchor": "left", "y": 0.35,
                             "yanchor": "top", "tickvals": [0, 0.5, 1]},
                "hovertemplate": "token %{customdata}: p* = %{z:.3f}<extra></extra>",
                "name": "p*",
            }
        ],
        layout(
            Title("Largest p of each token", "click one"),
            height=HEIGHT,
            margin={"l": 8, "r": 8, "t": 52, "b": 8},
            dragmode=False,
            xaxis={"visible": False, "constrain": "domain", "fixedrange": True},
            yaxis={"visible": False, "domain": [0.4, 1], "scaleanchor": "x", "autorange": "reversed",
                   "constrain": "domain", "constraintoward": "top", "fixedrange": True},
            shapes=[frame | corners] if row >= 0 else [],
        ),
    )  # fmt: skip


@dataclass(frozen=True)
class TemperatureFrames:
    """All that the temperature panel shows, for one printed figure.

    pictures: rows of uint8 [n, 3, S, S] by name. Frames are those of the functions above.
    """

    sweep: pd.DataFrame
    flips: pd.DataFrame
    marks: pd.DataFrame
    temperature: float
    tokens: pd.DataFrame
    codebook_size: int
    top: pd.DataFrame
    token: int
    placed: pd.DataFrame
    pictures: dict[str, NDArray[np.uint8]]


VIEWS = {"decided": ("largest", "entropy"), "shares": ("top",), "pictures": ("pictures",)}
"""The printed panels of each view of the temperature panel, between the sweep and the map of tokens."""

NARROW_HEIGHTS = {"gap": 1.6, "gain": 1.5, "flips": 1.4, "largest": 1.0, "entropy": 1.0, "top": 1.1, "pictures": 0.9}
"""Inches of printed panels that stand alone in their rows."""


def publish_temperature(frames: TemperatureFrames, view: str = "") -> Figure:
    """What the temperature panel shows, to print: the sweep, one of VIEWS or all of them, and the map of tokens.

    Raises:
        InputError: an unknown view, a column is missing, or a frame has no rows.
    """
    if view and view not in VIEWS:
        raise InputError(f"view is {view!r}: choose one of {', '.join(VIEWS)}")
    curves = curves_of(frames.sweep, frames.flips)
    MARKS.require(frames.marks)
    TOKENS.require_rows(frames.tokens)
    TOP_RESPONSIBILITIES.require_rows(frames.top)
    publish = {
        "largest": lambda axes: _publish_bars(axes, _largest_bars(frames.tokens), len(frames.tokens)),
        "entropy": lambda axes: _publish_bars(
            axes, _entropy_bars(frames.tokens, frames.codebook_size), len(frames.tokens)
        ),
        "top": lambda axes: _publish_top(axes, frames.top, frames.token),
        "pictures": lambda axes: _publish_pictures(axes, frames.pictures),
        "map": lambda axes: _publish_map(axes, frames.placed),
    }
    with publication_style():
        width = present_paper().inches or 10.5
        places, heights = _rows_of(view, width)
        figure = figure_of_size(width, sum(heights) + 0.3)
        mosaic: list[Any] = [row.split(" ") for row in places]
        axes = figure.subplot_mosaic(mosaic, height_ratios=heights)
        for name, panel in zip(("gap", "gain", "flips"), SWEEP_PANELS, strict=True):
            publish_panel(axes[name], panel, curves, frames.marks, frames.temperature)
        for name, draw in publish.items():
            if name in axes:
                draw(axes[name])
        detail = f"τ = {frames.temperature:.3g}; means over {int(frames.sweep['tokens'].iloc[0]):,d} tokens"
        publish_title(figure, Title("From soft to hard", detail))
    return figure


def _rows_of(view: str, width: float) -> tuple[list[str], list[float]]:
    """The names of the panels in each row, and the rows' heights, in inches as the width."""
    shown = VIEWS[view] if view else [name for names in VIEWS.values() for name in names]
    if fitting_columns(3) < 3:
        alone = ["gap", "gain", "flips", *(name for name in shown if view or name != "pictures")]
        last = "map map map" if view else "pictures pictures map"
        taller = 1.4 if view else 1.0  # fewer of them leave more of a page to each
        heights = [taller * NARROW_HEIGHTS[name] for name in alone]
        return [*(f"{name} {name} {name}" for name in alone), last], [*heights, taller * 0.9]
    rows = ["gap gain flips"]
    match view:
        case "decided":
            rows.append("largest entropy map")
        case "shares":
            rows.append("top top map")
        case "pictures":
            rows.append("pictures pictures map")
        case _:
            rows += ["largest entropy top", "pictures pictures map"]
    return rows, [(0.21 if row == "largest entropy top" else 0.28) * width for row in rows]


@dataclass(frozen=True)
class _Bars:
    """A distribution: left ends and width of its bars, the share of tokens in each, and where the axis ends."""

    title: str
    colour: str
    left: NDArray[np.float64]
    width: float
    share: NDArray[np.float64]
    end: float


def _bars(title: str, colour: str, values: NDArray[np.float64], end: float) -> _Bars:
    counts, edges = np.histogram(np.clip(values, 0, end), bins=BINS, range=(0, end))
    return _Bars(title, colour, edges[:-1], end / BINS, counts / len(values), end)


def _largest_bars(tokens: pd.DataFrame) -> _Bars:
    return _bars("largest responsibility p*", BLUE, tokens["max_p"].to_numpy(dtype=np.float64), 1.0)


def _entropy_bars(tokens: pd.DataFrame, codebook_size: int) -> _Bars:
    bits = tokens["entropy"].to_numpy(dtype=np.float64) / np.log(2)
    return _bars("entropy of p, bits", ORANGE, bits, float(np.log2(codebook_size)))


@dataclass(frozen=True)
class _TokenSheet:
    """Latent grids side by side with a gap: largest p [H, W'] and the number of the token, NaN and −1 in the gaps."""

    largest: NDArray[np.float64]
    tokens: NDArray[np.int64]


def _token_sheet(placed: pd.DataFrame, across: int | None = None) -> _TokenSheet:
    """across: pictures in a row, all by default."""
    TOKEN_MAP.require_rows(placed)
    height, width = placed["row"].max() + 1, placed["column"].max() + 1
    pictures = placed["picture"].max() + 1
    across = across or pictures
    largest = np.full((-(-pictures // across) * (height + 1) - 1, across * (width + 1) - 1), np.nan)
    tokens = np.full(largest.shape, -1, dtype=np.int64)
    down, right = np.divmod(placed["picture"].to_numpy(), across)
    rows, columns = down * (height + 1) + placed["row"].to_numpy(), right * (width + 1) + placed["column"].to_numpy()
    largest[rows, columns] = placed["max_p"]
    tokens[rows, columns] = placed["token"]
    return _TokenSheet(largest, tokens)


def _publish_bars(axes: Axes, bars: _Bars, tokens: int) -> None:
    axes.bar(bars.left, bars.share, width=bars.width, align="edge", color=bars.colour, linewidth=0)
    axes.set(xlabel=bars.title, ylabel="share of tokens", xlim=(0, bars.end))
    axes.set_title(f"N = {tokens:,d} tokens", loc="left", fontsize="medium")
    axes.yaxis.set_major_formatter(exact_percent)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=False, axis="x")


def _publish_top(axes: Axes, top: pd.DataFrame, token: int) -> None:
    axes.bar(top["code"].astype(str), top["responsibility"], color=BLUE)
    axes.set(xlabel="code", ylabel="responsibility p", ylim=(0, 1))
    axes.set_title(f"Who shares token {token}", loc="left", fontweight="bold", fontsize="medium")
    axes.tick_params(axis="x", rotation=45)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=False, axis="x")


def _publish_pictures(axes: Axes, rows: dict[str, NDArray[np.uint8]]) -> None:
    strips = [_with_gaps(pictures) for pictures in rows.values()]
    side = strips[0].shape[0]
    axes.imshow(np.concatenate([np.pad(strip, ((0, 2), (0, 0), (0, 0)), constant_values=255) for strip in strips]))
    axes.set_xticks([])
    axes.set_yticks([side / 2 + index * (side + 2) for index in range(len(strips))], list(rows))
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def _with_gaps(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """[n, 3, S, S] → [S, n·(S + 2), 3], white between them."""
    padded = np.pad(pictures, ((0, 0), (0, 0), (0, 0), (0, 2)), constant_values=255)
    return np.concatenate(list(padded.transpose(0, 2, 3, 1)), axis=1)


def _publish_map(axes: Axes, placed: pd.DataFrame) -> None:
    image = axes.imshow(_token_sheet(placed, PRINTED_ACROSS).largest, vmin=0, vmax=1, cmap="cividis")
    axes.set_axis_off()
    axes.set_anchor("NW")
    axes.set_title("p* of each token", loc="left", fontsize="medium")
    axes.figure.colorbar(image, ax=axes, location="right", fraction=0.08, label="p*")
