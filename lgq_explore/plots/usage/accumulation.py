"""Active codes by the number of images, with a bootstrap band and the lower bound for more images."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go
import seaborn
from matplotlib.axes import Axes

from lgq_explore.frames.usage import ACCUMULATION

from ..run_looks import RunRows, rows_of_runs, translucent
from ..style import CHART_HEIGHT, GUIDE, Title, axis, layout
from .inequality import legend_inside

X_TITLE, Y_TITLE = "images encoded", "active codes"
BAND_OPACITY = 0.18


def draw_accumulation(accumulation: pd.DataFrame, methods: Mapping[str, str]) -> go.Figure:
    """Active codes by the number of images, with the bootstrap band; dotted: the Chao2 lower bound for more images.

    accumulation: that of `analysis.usage.accumulation`, of several runs.
    methods: each run's name and method. Four traces a run: band (two), curve, bound; and the codebook size.

    Raises:
        InputError: a column is missing, or a run's method is not said.
    """
    parts = list(rows_of_runs(accumulation, ACCUMULATION, methods))
    traces = [trace for part in parts for trace in _traces(part)]
    most_images = int(accumulation["images"].max())
    traces += [_level(most_images, size, name, GUIDE, "dash") for size, name in _codebook_sizes(accumulation).items()]
    return go.Figure(
        traces,
        layout(
            _title(accumulation),
            height=CHART_HEIGHT,
            legend=legend_inside(bottom=True),
            xaxis=axis(X_TITLE, range=[0, most_images], tickformat=",d"),
            yaxis=axis(Y_TITLE, rangemode="tozero", tickformat=",d"),
        ),
    )


def publish_accumulation(axes: Axes, accumulation: pd.DataFrame, methods: Mapping[str, str]) -> None:
    """What `usage.draw_accumulation` shows, drawn into printed axes. Arguments and errors are the same."""
    for part in rows_of_runs(accumulation, ACCUMULATION, methods):
        rows, colour = part.rows, part.look.colour
        axes.fill_between(rows["images"], rows["low"], rows["high"], color=colour, alpha=BAND_OPACITY, linewidth=0)
        style = part.look.linestyle
        axes.plot(rows["images"], rows["active_codes"], color=colour, linestyle=style, label=_label(part.printed, part))
        axes.axhline(_bound(part), color=colour, linestyle=":", linewidth=1.2)
    for size, name in _codebook_sizes(accumulation).items():
        axes.axhline(size, color=GUIDE, linestyle="--", linewidth=0.8, label=name or None)
    axes.set(xlabel=X_TITLE, ylabel=Y_TITLE, xlim=(0, accumulation["images"].max()), ylim=(0, None))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.legend(frameon=False, loc="lower right")
    seaborn.despine(ax=axes)


def _traces(part: RunRows) -> list[go.Scatter]:
    rows, look = part.rows, part.look
    images = rows["images"].to_numpy()
    edge = {"x": images, "mode": "lines", "line": {"width": 0}, "showlegend": False, "hoverinfo": "skip"}
    curve = go.Scatter(
        x=images,
        y=rows["active_codes"].to_numpy(),
        customdata=rows[["tokens", "low", "high"]].to_numpy(),
        name=_label(part.live, part),
        mode="lines",
        line={"color": look.colour, "dash": look.dash, "width": 2},
        hovertemplate=f"{part.live}<br>%{{x:,d}} images, %{{customdata[0]:,d}} tokens: %{{y:,.0f}} codes"
        "<br>%{customdata[1]:,.0f} – %{customdata[2]:,.0f}<extra></extra>",
    )
    return [
        go.Scatter(y=rows["low"].to_numpy(), **edge),
        go.Scatter(y=rows["high"].to_numpy(), fill="tonexty", fillcolor=translucent(look.colour, BAND_OPACITY), **edge),
        curve,
        _level(int(images[-1]), _bound(part), "", look.colour, "dot"),
    ]


def _level(most_images: int, height: float, name: str, colour: str, dash: str) -> go.Scatter:
    return go.Scatter(
        x=[0, most_images],
        y=[height, height],
        mode="lines",
        name=name,
        showlegend=name != "",
        line={"color": colour, "width": 1.2, "dash": dash},
        hoverinfo="skip",
    )


def _label(name: str, part: RunRows) -> str:
    return f"{name} (≥ {_bound(part):,.0f})"


def _bound(part: RunRows) -> float:
    """The Chao2 bound, at most K, which the estimate alone may exceed."""
    return float(part.rows[["chao2", "codebook_size"]].iloc[0].min())


def _codebook_sizes(accumulation: pd.DataFrame) -> dict[int, str]:
    """Codebook size → its entry in the legend; several sizes share one entry."""
    sizes = sorted(set(accumulation["codebook_size"].tolist()))
    return dict.fromkeys(sizes, "") | {sizes[-1]: "K = " + ", ".join(f"{size:,d}" for size in sizes)}


def _title(accumulation: pd.DataFrame) -> Title:
    unit = " and ".join(f"{unit}s" for unit in accumulation["unit"].unique())
    return Title("Accumulation", f"band: {unit} resampled; ≥: Chao2")
