"""Distortion over the least possible: during training, and of every method at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import seaborn
from matplotlib.figure import Figure

from lgq_explore.frames.toys import CURVE, TABLE

from ..live import live_figure
from ..paper import legend_above
from ..printing import EVEN_COLOURS, new_figure, publication_style, publish_title
from ..style import GUIDE, Title, axis, layout, live_text, method_colour, printed_text
from .plane import CURVE_HEIGHT

RATIO = "distortion / least"
TICKS = [1, 1.5, 2, 3, 5, 10, 20, 50, 100, 200]


def draw_toy_distance(curves: Mapping[str, pd.DataFrame], detail: str, steps: int) -> go.Figure:
    """The ratio to the optimum, 1 at best, against the step: one trace per method that has a curve.

    curves: by method, of `analysis.toys.ToyFit`; detail: of what, with N; steps: where the axis ends.

    Raises:
        InputError: a column is missing.
    """
    for curve in curves.values():
        CURVE.require(curve)
    traces = [
        {
            "type": "scatter",
            "x": curve["step"].to_numpy(),
            "y": curve["ratio"].to_numpy(),
            "mode": "lines+markers",
            "line": {"color": method_colour(method), "width": 2},
            "marker": {"size": 5},
            "name": live_text(method),
            "hovertemplate": f"{live_text(method)}, step %{{x}}: %{{y:.2f}} times the least<extra></extra>",
        }
        for method, curve in curves.items()
    ]
    best = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": 1, "y1": 1}
    return live_figure(
        traces,
        layout(
            Title("Distance to the best", detail),
            height=CURVE_HEIGHT,
            margin={"l": 56, "r": 12, "t": 58, "b": 42},
            showlegend=len(curves) > 1,
            shapes=[best | {"line": {"color": GUIDE, "width": 1.5, "dash": "dash"}}],
            xaxis=axis("optimiser step", range=[0, max(1, steps)]),
            yaxis=axis(
                RATIO, type="log", tickvals=TICKS, ticktext=[f"{tick:g}" for tick in TICKS], range=_range(curves)
            ),
        ),
    )


def publish_toy_distance(curves: Mapping[str, pd.DataFrame], detail: str, steps: int) -> Figure:
    """What `draw_toy_distance` shows, to print. Errors are the same."""
    with publication_style():
        figure = new_figure(4.6, 3.8, palette=EVEN_COLOURS)
        axes = figure.subplots()
        for method, curve in curves.items():
            CURVE.require(curve)
            axes.plot(
                curve["step"],
                curve["ratio"],
                color=method_colour(method),
                marker="o",
                markersize=3,
                label=printed_text(method),
            )
        axes.axhline(1, color=GUIDE, linestyle="--", linewidth=1)
        axes.set(xlabel="optimiser step", ylabel=RATIO, yscale="log", xlim=(0, max(1, steps)))
        axes.set_yticks(TICKS, [f"{tick:g}" for tick in TICKS])
        axes.minorticks_off()
        axes.set_ylim(*(10 ** np.array(_range(curves))))
        if len(curves) > 1:
            legend_above(axes)
        seaborn.despine(figure)
        publish_title(figure, Title("Distance to the best", detail))
    return figure


def publish_toy_table(table: pd.DataFrame) -> Figure:
    """The ratio to the optimum of every method on every mixture, one mark per seed.

    table: of `analysis.toys.toy_table`.

    Raises:
        InputError: a column is missing.
    """
    TABLE.require_rows(table)
    names, methods = _in_order(table["data"]), _in_order(table["method"])
    with publication_style():
        figure = new_figure(9.0, 3.8)
        axes = figure.subplots()
        for method in methods:
            rows = table[table["method"] == method]
            x = [names.index(name) + _offset(methods, method) for name in rows["data"]]
            axes.scatter(x, rows["ratio"], s=22, color=method_colour(method), label=printed_text(method), alpha=0.85)
        axes.axhline(1, color=GUIDE, linestyle="--", linewidth=1)
        axes.set(ylabel=RATIO, yscale="log")
        axes.set_xticks(range(len(names)), [printed_text(name) for name in names])
        low, high = table["ratio"].min(), table["ratio"].max()
        axes.set_yticks(TICKS, [f"{tick:g}" for tick in TICKS])
        axes.minorticks_off()
        axes.set_ylim(min(0.95, 0.95 * low), 1.2 * high)
        axes.grid(visible=False, axis="x")
        legend_above(axes)
        seaborn.despine(figure)
        publish_title(figure, _table_title(table))
    return figure


def _table_title(table: pd.DataFrame) -> Title:
    seeds = table["seed"].nunique()
    return Title(
        "How near the best codebook",
        f"one mark per seed, {seeds} seed{'s' * (seeds > 1)}; N = {int(table['tokens'].iloc[0]):,d} held-out points",
    )


def _in_order(names: pd.Series) -> list[str]:
    return list(dict.fromkeys(names))


def _offset(methods: Sequence[str], method: str) -> float:
    """Horizontal offset of a method's marks, so that those of one mixture stand side by side."""
    return 0.08 * (methods.index(method) - (len(methods) - 1) / 2)


def _range(curves: Mapping[str, pd.DataFrame]) -> list[float]:
    highest = max((float(curve["ratio"].max()) for curve in curves.values() if len(curve)), default=10.0)
    lowest = min((float(curve["ratio"].min()) for curve in curves.values() if len(curve)), default=1.0)
    return [float(np.log10(min(0.93, 0.97 * lowest))), float(np.log10(max(2.0, 1.15 * highest)))]
