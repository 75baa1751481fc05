"""Counts of each code, as bars and as a map of the codebook."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import seaborn
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from lgq_explore.errors import InputError
from lgq_explore.frames.usage import PER_CODE

from ..live import Trace, live_figure
from ..paper import legend_above, tick_label
from ..printing import new_figure, publication_style, publish_sentence, publish_title
from ..style import (
    CHART_HEIGHT,
    COUNTS,
    DEAD,
    GUIDE,
    ON_TOP,
    VERMILION,
    Title,
    axis,
    layout,
    log_ticks,
    method_colour,
    sentence_when_empty,
)

Order = Literal["code", "rank"]
ORDERS = ("code", "rank")
X_TITLES = {"code": "code", "rank": "rank of the code, most used first"}

MOST_BARS = 1_000
"""Largest codebook with one bar per code: 16,384 bars take 1.6 s to redraw, and are too thin to be seen."""
BINS = 512

NO_TOKENS = "No tokens have been counted yet."

DEAD_SHARE = 0.12
"""Share of the colour bar that stands for dead codes, below the counts."""
MOST_SEPARATE_COLUMNS = 64
"""Largest width of a grid with gaps between codes: in a wider one the gaps would take more pixels than the codes."""


def draw_per_code(usage: pd.DataFrame, *, by: Order = "code", method: str = "lgq") -> go.Figure:
    """Tokens per code, as bars beside the count that uniform usage would give. Two traces: bars, line.

    usage: that of `analysis.usage.per_code`. by: order of the bars, by code or from the most to the least used. method:
    whose colour to use. Above `MOST_BARS` codes there are `BINS` bars, each the mean of neighbouring codes.

    Raises:
        InputError: another order, or a column is missing.
    """
    bars = _bars(usage, by)
    return live_figure(
        [
            {
                "type": "bar",
                "x": bars.left,
                "y": bars.height,
                "width": bars.width,
                "offset": 0,
                "customdata": np.stack([bars.left, bars.left + bars.width - 1], axis=1),
                "marker": {"color": method_colour(method), "line": {"width": 0}},
                "name": "tokens",
                "hovertemplate": _hover_line(by, bars) + "<br>%{y:,.4~g} tokens per code<extra></extra>",
            },
            {
                "type": "scatter",
                "x": [0, bars.codebook_size],
                "y": [bars.uniform] * 2,
                "mode": "lines",
                "line": {"color": GUIDE, "width": 1.5, "dash": "dash"},
                "name": _uniform_label(bars),
                "hoverinfo": "skip",
            },
        ],
        layout(
            _bars_title(usage, bars),
            height=320,
            bargap=0,
            hovermode="x",  # thin bars need not be hit
            showlegend=False,
            xaxis=axis(
                X_TITLES[by],
                range=[0, max(1, bars.codebook_size)],
                showgrid=False,
                tickformat=COUNTS,
                visible=not usage.empty,
            ),
            yaxis=axis(_y_title(bars), rangemode="tozero", visible=not usage.empty),
            annotations=[sentence_when_empty(NO_TOKENS, empty=usage.empty)],
        ),
    )


def publish_per_code(usage: pd.DataFrame, *, by: Order = "code", method: str = "lgq") -> Figure:
    """What `usage.draw_per_code` shows, to print. Arguments and errors are the same."""
    bars = _bars(usage, by)
    with publication_style():
        figure = new_figure(7, 2.8)
        if usage.empty:
            return publish_sentence(figure, NO_TOKENS)
        axes = figure.subplots()
        axes.bar(bars.left, bars.height, bars.width, align="edge", color=method_colour(method), linewidth=0)
        axes.axhline(
            bars.uniform, color=GUIDE, linestyle="--", linewidth=1.2, label=f"uniform: N/K = {bars.uniform:,.4g}"
        )
        legend_above(axes)
        axes.set(xlabel=X_TITLES[by], ylabel=_y_title(bars), xlim=(0, bars.codebook_size))
        publish_title(figure, _title(usage))
        axes.grid(axis="x", visible=False)
        seaborn.despine(figure)
    return figure


def draw_grid(
    grid: pd.DataFrame, selected: Sequence[int] = (), run: str = "", groups: int = 1, window: str = ""
) -> go.Figure:
    """Tokens per code over the whole codebook, one cell per code, on a logarithmic scale; unused codes grey.

    grid: that of `analysis.usage.grid`. selected: codes to mark. run: whose codes they are, for the title. groups: how
    many of these codes each token has. window: what the tokens are of, such as "last 32 steps", where a code without
    one of them need not be dead. Two traces: cells, with their codes as customdata, and marks.
    """
    scale = _log_scale(grid, window)
    empty, (rows, columns) = grid.empty, grid.shape
    return live_figure(
        [_cells(grid, scale), _marks(grid, selected)],
        layout(
            _grid_title(scale.counts, run, groups, window),
            height=CHART_HEIGHT,
            xaxis=axis(
                "offset in the row",
                showgrid=False,
                showline=False,
                visible=not empty,
                range=[-0.5, columns - 0.5],  # whatever is marked
            ),
            yaxis=axis(
                "first code of the row",
                range=[(rows - 0.5) * columns, -0.5 * columns],
                showgrid=False,
                showline=False,
                tickformat=COUNTS,
                dtick=grid.shape[1] * max(1, grid.shape[0] // 8),
                visible=not empty,
            ),
            annotations=[sentence_when_empty(NO_TOKENS, empty=empty)],
        ),
    )


def _cells(grid: pd.DataFrame, scale: _LogScale) -> Trace:
    codes = grid.index.to_numpy()[:, None] + grid.columns.to_numpy()[None, :]
    return {
        "type": "heatmap",
        "z": scale.levels,
        "x": grid.columns.to_numpy(),
        "y": grid.index.to_numpy(),
        "zmin": scale.bottom,
        "zmax": scale.top,
        "customdata": codes.astype(np.int32),
        "text": scale.counts,
        "hovertemplate": "code %{customdata:,d}<br>%{text:,d} tokens<extra></extra>",
        "hoverongaps": False,
        "colorscale": [[position, colour] for position, colour in SCALE_WITH_DEAD],
        "colorbar": {
            "title": {"text": "tokens", "font": {"size": 12}},
            "tickvals": scale.ticks,
            "ticktext": scale.tick_labels,
            "tickfont": {"size": 11},
            "thickness": 14,
            "outlinewidth": 0,
            "xpad": 8,
        },
        "showscale": not grid.empty,
        "xgap": _gap(grid),
        "ygap": _gap(grid),
    }


def _marks(grid: pd.DataFrame, selected: Sequence[int]) -> Trace:
    rows, columns = np.divmod(np.asarray(selected, dtype=np.int64), max(1, grid.shape[1]))
    return {
        "type": "scatter",
        "x": columns.tolist(),
        "y": (rows * grid.shape[1]).tolist(),
        "mode": "markers",
        "marker": {"symbol": "square-open", "size": 14, "color": VERMILION, "line": {"width": 3}},
        "showlegend": False,
        "hoverinfo": "skip",
        "meta": ON_TOP,
    }


def publish_grid(
    grid: pd.DataFrame, selected: Sequence[int] = (), run: str = "", groups: int = 1, window: str = ""
) -> Figure:
    """What `usage.draw_grid` shows, to print."""
    with publication_style():
        figure = new_figure(6, 4)
        if grid.empty:
            return publish_sentence(figure, NO_TOKENS)
        title = publish_cells(figure.subplots(), grid, selected, run, groups, window)
        publish_title(figure, title)
    return figure


def publish_cells(
    axes: Axes, grid: pd.DataFrame, selected: Sequence[int], run: str = "", groups: int = 1, window: str = ""
) -> Title:
    """What `usage.draw_grid` shows, drawn into printed axes, with a colour bar beside them. Returns its title."""
    scale = _log_scale(grid, window)
    seaborn.heatmap(
        pd.DataFrame(scale.levels, grid.index, grid.columns),
        ax=axes,
        cmap=LinearSegmentedColormap.from_list("usage", SCALE_WITH_DEAD),
        vmin=scale.bottom,
        vmax=scale.top,
        linewidths=0.4 * _gap(grid),
        linecolor="white",
        xticklabels=max(1, grid.shape[1] // 8),
        yticklabels=max(1, grid.shape[0] // 8),
        cbar_kws={"label": "tokens", "aspect": 30, "pad": 0.03},
    )
    bar = axes.collections[0].colorbar
    assert bar is not None
    bar.ax.set_yticks(scale.ticks, scale.tick_labels)
    bar.ax.tick_params(length=0)
    bar.ax.get_yticklabels()[0].set_verticalalignment("top")  # clear of the label of 1
    axes.tick_params(length=0, labelrotation=0)
    for code in selected:
        row, column = divmod(code, grid.shape[1])
        axes.add_patch(Rectangle((column, row), 1, 1, fill=False, edgecolor=VERMILION, linewidth=1.5))
    return _grid_title(scale.counts, run, groups, window)


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
    PER_CODE.require(usage)
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


def _uniform_label(bars: _Bars) -> str:
    return f"uniform: N/K = {bars.uniform:,.4g}"


def _y_title(bars: _Bars) -> str:
    if bars.codebook_size <= MOST_BARS:
        return "tokens per code"
    codes = bars.codebook_size / BINS
    return f"tokens per code, mean of {'' if codes.is_integer() else 'about '}{codes:.3g}"


def _title(usage: pd.DataFrame) -> Title:
    if usage.empty:
        return Title("Code usage", "")
    used, tokens = int((usage["count"] > 0).sum()), int(usage["count"].sum())
    return Title("Code usage", f"{used:,d} of {len(usage):,d} codes used, N = {tokens:,d} tokens")


def _bars_title(usage: pd.DataFrame, bars: _Bars) -> Title:
    title = _title(usage)
    return title if usage.empty else replace(title, detail=f"{title.detail}; dashed: {_uniform_label(bars)}")


def _grid_title(counts: NDArray[np.floating], run: str, groups: int, window: str) -> Title:
    codes = counts[~np.isnan(counts)]
    subject = f"Code usage of {run}" if run else "Code usage"
    if not codes.size:
        return Title(subject, "")
    used, tokens = int((codes > 0).sum()), round(codes.sum(dtype=np.float64) / groups)
    of_groups = f" in {groups} groups" if groups > 1 else ""
    when = f" in the {window}" if window else ""
    return Title(subject, f"{used:,d} of {codes.size:,d} codes{of_groups} used{when}, N = {tokens:,d} tokens")


@dataclass(frozen=True)
class _LogScale:
    """Counts and their logarithms (to base 10; dead codes at `bottom`, NaN where there is no code), with labels."""

    counts: NDArray[np.float32]
    levels: NDArray[np.float32]
    bottom: float
    top: float
    ticks: list[float]
    tick_labels: list[str]


def _log_scale(grid: pd.DataFrame, window: str) -> _LogScale:
    """One scale for all codes: the unused ones lie at its bottom, so that its colour bar explains them, too."""
    counts = grid.to_numpy(dtype=np.float32)
    most = int(np.nanmax(counts, initial=1))
    top = math.log10(max(most, 2))
    bottom = -top * DEAD_SHARE / (1 - DEAD_SHARE)
    with np.errstate(divide="ignore"):
        levels = np.maximum(np.log10(counts), np.float32(bottom))
    labelled = [tick for tick in log_ticks(1, max(most, 2)) if tick.is_integer() and tick <= most]
    return _LogScale(
        counts=counts,
        levels=levels,
        bottom=bottom,
        top=top,
        ticks=[bottom, *(math.log10(count) for count in labelled)],
        tick_labels=["unused" if window else "dead", *map(tick_label, labelled)],
    )


def _scale_with_dead() -> list[tuple[float, str]]:
    """Viridis over the counts, and one grey below them: (position, colour) from 0 to 1."""
    positions = np.linspace(0, 1, 16)
    colours = [to_hex(colour) for colour in colormaps["viridis"](positions)]
    edge = DEAD_SHARE - 0.01
    counted = [(DEAD_SHARE + (1 - DEAD_SHARE) * at, colour) for at, colour in zip(positions, colours, strict=True)]
    return [(0.0, DEAD), (edge, DEAD), (edge, colours[0]), *counted]


SCALE_WITH_DEAD = _scale_with_dead()


def _gap(grid: pd.DataFrame) -> float:
    return 1.0 if grid.shape[1] <= MOST_SEPARATE_COLUMNS else 0.0
