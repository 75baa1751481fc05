"""Which codes are used, and how unevenly?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import seaborn
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray
from plotly.colors import sample_colorscale

from lgq_explore.errors import InputError

from .style import (
    DEAD,
    GUIDE,
    method_colour,
    new_figure,
    publication_style,
    publish_sentence,
    say_when_empty,
    style_figure,
)

Order = Literal["code", "rank"]
ORDERS = ("code", "rank")
X_TITLES = {"code": "code", "rank": "rank of the code, most used first"}

MOST_BARS = 1_000
"""Codebooks up to this size get a bar a code. 16,384 bars take 1.6 s to redraw, and nobody can see one."""
BINS = 512

NO_TOKENS = "No tokens counted yet"

DEAD_SHARE = 0.08
"""Share of the colour bar that dead codes take, below the one of the counts."""
MOST_SEPARATE_COLUMNS = 64
"""Grids up to this width show a gap between codes; beyond, it would take up more pixels than they do."""


def draw_code_usage(usage: pd.DataFrame, *, by: Order = "code", method: str = "lgq") -> go.Figure:
    """Tokens a code, as bars beside the count that uniform usage would give. Two traces: bars, line.

    usage: code, count of all K codes. by: along the code, or sorted from the most to the least used. method: whose
    colour to use. Above `MOST_BARS` codes a bar is the mean of neighbouring codes, in `BINS` bars.

    Raises:
        InputError: another order, or a frame without code and count.
    """
    bars = _bars(usage, by)
    figure = go.Figure(
        [
            go.Bar(
                x=bars.left,
                y=bars.height,
                width=bars.width,
                offset=0,
                customdata=np.stack([bars.left, bars.left + bars.width - 1], axis=1),
                marker=dict(color=method_colour(method), line_width=0),
                name="tokens",
                showlegend=False,
                hovertemplate=_hover_line(by, bars) + "<br>%{y:,.4~g} tokens a code<extra></extra>",
            ),
            go.Scatter(
                x=[0, bars.codebook_size],
                y=[bars.uniform] * 2,
                mode="lines",
                line=dict(color=GUIDE, width=1.5, dash="dash"),
                name=f"uniform usage, N/K = {bars.uniform:,.4g}",
                hoverinfo="skip",
            ),
        ]
    )
    style_figure(figure, title=_title(usage), height=320)
    figure.update_layout(bargap=0, legend=dict(x=1, xanchor="right", y=1.01, yanchor="bottom", bgcolor="rgba(0,0,0,0)"))
    figure.update_xaxes(title_text=X_TITLES[by], range=[0, max(1, bars.codebook_size)], showgrid=False, tickformat=",d")
    figure.update_yaxes(title_text=_y_title(bars), rangemode="tozero")
    say_when_empty(figure, NO_TOKENS, empty=usage.empty)
    return figure


def publish_code_usage(usage: pd.DataFrame, *, by: Order = "code", method: str = "lgq") -> Figure:
    """What `draw_code_usage` shows, to print. Arguments and errors are the same."""
    bars = _bars(usage, by)
    with publication_style():
        figure = new_figure(7, 2.8)
        if usage.empty:
            return publish_sentence(figure, NO_TOKENS)
        axes = figure.subplots()
        axes.bar(bars.left, bars.height, bars.width, align="edge", color=method_colour(method), linewidth=0)
        axes.axhline(bars.uniform, color=GUIDE, linestyle="--", linewidth=1.2)
        axes.annotate(
            f"uniform, N/K = {bars.uniform:,.4g}",
            (1, bars.uniform), xycoords=("axes fraction", "data"), xytext=(-2, 3), textcoords="offset points",
            ha="right", color=GUIDE, bbox=dict(facecolor="white", alpha=0.8, linewidth=0, pad=1),
        )  # fmt: skip
        axes.set(xlabel=X_TITLES[by], ylabel=_y_title(bars), xlim=(0, bars.codebook_size))
        axes.set_title(_title(usage), loc="left")
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.grid(axis="x", visible=False)
        seaborn.despine(figure)
    return figure


def draw_usage_grid(grid: pd.DataFrame) -> go.Figure:
    """Tokens a code over the whole codebook, a cell a code, on a logarithmic scale; dead codes grey. One trace.

    grid: counts, with the first code of each row as index and the offset from it as columns; NaN where there is no code.
    """
    counts = grid.to_numpy(dtype=np.float32)
    codes = grid.index.to_numpy()[:, None] + grid.columns.to_numpy()[None, :]
    most = np.nanmax(counts, initial=1)
    top = float(np.log10(max(most, 2)))
    bottom = -top * DEAD_SHARE / (1 - DEAD_SHARE)
    # Dead codes lie at the bottom of the one scale, so that its colour bar explains them, too.
    with np.errstate(divide="ignore"):
        levels = np.maximum(np.log10(counts), np.float32(bottom))
    ticks = _decades(most)
    figure = go.Figure(
        go.Heatmap(
            z=levels,
            x=grid.columns.to_numpy(),
            y=grid.index.to_numpy(),
            zmin=bottom,
            zmax=top,
            customdata=codes.astype(np.int32),
            text=counts,
            hovertemplate="code %{customdata:,d}<br>%{text:,d} tokens<extra></extra>",
            hoverongaps=False,
            colorscale=_scale_with_dead(),
            colorbar=dict(
                title=dict(text="tokens", font_size=12),
                tickvals=[bottom / 2, *np.log10(ticks)],
                ticktext=["dead", *(f"{tick:,d}" for tick in ticks)],
                tickfont_size=11,
                thickness=14,
                outlinewidth=0,
                xpad=8,
            ),
            xgap=_gap(grid),
            ygap=_gap(grid),
        )
    )
    style_figure(figure, title=_grid_title(counts), height=440)
    figure.update_xaxes(title_text="offset in the row", showgrid=False, constrain="domain", showline=False)
    figure.update_yaxes(
        title_text="first code of the row", showgrid=False, autorange="reversed", showline=False, tickformat=",d"
    )
    say_when_empty(figure, NO_TOKENS, empty=grid.empty)
    return figure


def publish_usage_grid(grid: pd.DataFrame) -> Figure:
    """What `draw_usage_grid` shows, to print."""
    counts = grid.to_numpy(dtype=np.float64)
    with publication_style():
        figure = new_figure(5, 4.6)
        if grid.empty:
            return publish_sentence(figure, NO_TOKENS)
        axes = figure.subplots()
        lines = dict(linewidths=0.4 if _gap(grid) else 0, linecolor="white", square=True, ax=axes)
        seaborn.heatmap(grid, mask=counts != 0, cmap=ListedColormap([DEAD]), cbar=False, **lines)
        seaborn.heatmap(
            grid, mask=~(counts > 0), cmap="viridis", norm=LogNorm(1, max(2, np.nanmax(counts))),
            cbar_kws=dict(label="tokens", shrink=0.85), **lines,
        )  # fmt: skip
        axes.set_title(_grid_title(counts), loc="left")
        axes.tick_params(length=0, rotation=0)
        axes.legend(
            handles=[Patch(color=DEAD, label="dead")], loc="lower left", bbox_to_anchor=(1.0, 1.0), frameon=False
        )
    return figure


@dataclass(frozen=True)
class _Bars:
    """left, width: of each bar, in codes. height: mean count of the codes it stands for. uniform: N/K."""

    left: NDArray[np.float64]
    width: NDArray[np.float64]
    height: NDArray[np.float64]
    uniform: float
    codebook_size: int


def _bars(usage: pd.DataFrame, by: Order) -> _Bars:
    if by not in ORDERS:
        raise InputError(f"by is {by!r}: choose one of {', '.join(ORDERS)}")
    if not {"code", "count"} <= set(usage.columns):
        raise InputError(f"a frame with the columns {list(usage.columns)}: give one with code and count")
    ordered = usage.sort_values("code") if by == "code" else usage.sort_values("count", ascending=False)
    counts = ordered["count"].to_numpy(dtype=np.float64)
    size = len(counts)
    edges = np.arange(size + 1) if size <= MOST_BARS else np.linspace(0, size, BINS + 1).round().astype(int)
    width = np.diff(edges).astype(np.float64)
    height = np.add.reduceat(counts, edges[:-1]) / width if size else counts
    uniform = float(counts.mean()) if size else 0.0
    return _Bars(edges[:-1].astype(np.float64), width, height, uniform, size)


def _hover_line(by: Order, bars: _Bars) -> str:
    if bars.codebook_size <= MOST_BARS:
        return f"{by} %{{customdata[0]:,d}}"
    return f"{by}s %{{customdata[0]:,d}} – %{{customdata[1]:,d}}"


def _y_title(bars: _Bars) -> str:
    if bars.codebook_size <= MOST_BARS:
        return "tokens a code"
    codes = bars.codebook_size / BINS
    return f"tokens a code, mean of {'' if codes.is_integer() else 'about '}{codes:.3g}"


def _title(usage: pd.DataFrame) -> str:
    if usage.empty:
        return "Code usage"
    used, tokens = int((usage["count"] > 0).sum()), int(usage["count"].sum())
    return f"Code usage: {used:,d} of {len(usage):,d} codes, N = {tokens:,d} tokens"


def _grid_title(counts: NDArray[np.floating]) -> str:
    codes = counts[~np.isnan(counts)]
    return _title(pd.DataFrame({"count": codes}))


def _decades(most: float) -> list[int]:
    """1, 10, … up to `most`, and `most` itself where it stands clear of them."""
    decades = [10**power for power in range(int(np.log10(max(most, 1))) + 1)]
    return [*decades, int(most)] if most > 2 * decades[-1] else decades


def _scale_with_dead() -> list[list[float | str]]:
    """Viridis over the counts, and one grey below them."""
    positions = np.linspace(0, 1, 16)
    colours = sample_colorscale("viridis", positions)
    edge = DEAD_SHARE - 0.01
    scale = [[DEAD_SHARE + (1 - DEAD_SHARE) * at, colour] for at, colour in zip(positions, colours, strict=True)]
    return [[0.0, DEAD], [edge, DEAD], [edge, colours[0]], *scale]


def _gap(grid: pd.DataFrame) -> float:
    return 1.0 if grid.shape[1] <= MOST_SEPARATE_COLUMNS else 0.0
