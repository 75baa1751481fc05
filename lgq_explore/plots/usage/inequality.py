"""How unevenly tokens are spread over codes: usage by rank, and Lorenz curves."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go
import seaborn
from matplotlib.axes import Axes

from lgq_explore.frames.usage import BY_RANK, COUNTED, LORENZ, SUMMARY, UNIFORM

from ..run_looks import rows_of_runs
from ..style import CHART_HEIGHT, GUIDE, Title, axis, layout

RANK_TITLE = Title("Usage by rank", "most used code first, axes logarithmic")
LORENZ_TITLE = Title("Lorenz curve", "in brackets: the Gini of uniform sampling")
RANK_X, RANK_Y = "rank of the code", "share of the tokens, %"
LORENZ_X, LORENZ_Y = "codes, least used first, % of K", "tokens they carry, %"


def draw_by_rank(ranks: pd.DataFrame, methods: Mapping[str, str]) -> go.Figure:
    """The share of the tokens that each code has, by rank, one line per run; both axes logarithmic.

    ranks: that of `analysis.usage.by_rank`, of several runs. methods: each run's name and method.

    Raises:
        InputError: a column is missing, or a run's method is not said.
    """
    traces = [
        go.Scatter(
            x=part.rows["rank"].to_numpy(),
            y=100 * part.rows["share"].to_numpy(),
            customdata=part.rows["code"].to_numpy(),
            text=part.rows["count"].to_numpy(),
            name=part.live,
            mode="lines",
            line={"color": part.look.colour, "dash": part.look.dash, "width": 2},
            hovertemplate="rank %{x:,d}: code %{customdata:,d}<br>%{text:,d} tokens, %{y:.3~g} %",
        )
        for part in rows_of_runs(ranks, BY_RANK, methods)
    ]
    return go.Figure(
        traces,
        layout(
            RANK_TITLE,
            height=CHART_HEIGHT,
            legend=legend_inside(left=True, bottom=True),
            xaxis=axis(RANK_X, type="log", dtick=1, tickformat=",d"),
            yaxis=axis(RANK_Y, type="log", dtick=1, tickformat="~g"),
        ),
    )


def publish_by_rank(axes: Axes, ranks: pd.DataFrame, methods: Mapping[str, str]) -> None:
    """What `usage.draw_by_rank` shows, drawn into printed axes. Arguments and errors are the same."""
    for part in rows_of_runs(ranks, BY_RANK, methods):
        share = 100 * part.rows["share"]
        axes.loglog(part.rows["rank"], share, color=part.look.colour, linestyle=part.look.linestyle, label=part.printed)
    axes.set(xlabel=RANK_X, ylabel=RANK_Y)
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.legend(frameon=False, loc="lower left")
    seaborn.despine(ax=axes)


def draw_lorenz(lorenz: pd.DataFrame, summary: pd.DataFrame, methods: Mapping[str, str]) -> go.Figure:
    """The share of the tokens that the least used codes carry, beside what uniform sampling would give (thin).

    lorenz, summary: those of `analysis.usage.lorenz` and `summary`, of the same runs.

    Raises:
        InputError: a column is missing, or a run's method is not said.
    """
    ginis = _ginis(summary, methods)
    traces = []
    for part in rows_of_runs(lorenz, LORENZ, methods):
        for curve, width in ((COUNTED, 2.0), (UNIFORM, 1.0)):
            rows = part.rows[part.rows["curve"] == curve]
            traces.append(
                go.Scatter(
                    x=100 * rows["code_share"].to_numpy(),
                    y=100 * rows["token_share"].to_numpy(),
                    name=part.live + (ginis[part.run] if curve == COUNTED else f", {UNIFORM}"),
                    showlegend=curve == COUNTED,
                    mode="lines",
                    line={"color": part.look.colour, "dash": part.look.dash, "width": width},
                    hovertemplate=f"{part.live}, {curve}<br>"
                    "the least used %{x:.1f} % of the codes<br>carry %{y:.2f} % of the tokens<extra></extra>",
                )
            )
    traces.append(
        go.Scatter(
            x=[0, 100],
            y=[0, 100],
            mode="lines",
            line={"color": GUIDE, "width": 1, "dash": "dash"},
            name="all codes alike",
            hoverinfo="skip",
        )
    )
    return go.Figure(
        traces,
        layout(
            LORENZ_TITLE,
            height=CHART_HEIGHT,
            legend=legend_inside(left=True),
            xaxis=axis(LORENZ_X, range=[0, 100]),
            yaxis=axis(LORENZ_Y, range=[0, 101]),
        ),
    )


def publish_lorenz(axes: Axes, lorenz: pd.DataFrame, summary: pd.DataFrame, methods: Mapping[str, str]) -> None:
    """What `usage.draw_lorenz` shows, drawn into printed axes. Arguments and errors are the same."""
    ginis = _ginis(summary, methods)
    for part in rows_of_runs(lorenz, LORENZ, methods):
        for curve, width in ((COUNTED, 1.8), (UNIFORM, 0.8)):
            rows = part.rows[part.rows["curve"] == curve]
            axes.plot(
                100 * rows["code_share"],
                100 * rows["token_share"],
                color=part.look.colour,
                linestyle=part.look.linestyle,
                linewidth=width,
                label=part.printed + ginis[part.run] if curve == COUNTED else None,
            )
    axes.plot([0, 100], [0, 100], color=GUIDE, linestyle="--", linewidth=0.8, label="all codes alike")
    axes.set(xlabel=LORENZ_X, ylabel=LORENZ_Y, xlim=(0, 100), ylim=(0, 101))
    axes.legend(frameon=False, loc="upper left")
    seaborn.despine(ax=axes)


def legend_inside(*, left: bool = False, bottom: bool = False) -> dict[str, object]:
    """A legend in a corner of the plot itself, which keeps its width."""
    return {
        "x": 0.02 if left else 0.98,
        "xanchor": "left" if left else "right",
        "y": 0.03 if bottom else 0.98,
        "yanchor": "bottom" if bottom else "top",
        "bgcolor": "rgba(255, 255, 255, 0.7)",
        "font": {"size": 12},
        "traceorder": "normal",
    }


def _ginis(summary: pd.DataFrame, methods: Mapping[str, str]) -> dict[str, str]:
    """What follows each run's name in the legend."""
    parts = rows_of_runs(summary, SUMMARY, methods)
    rows = {part.run: part.rows.iloc[0] for part in parts}
    return {run: f": Gini {row['gini']:.2f} ({row['gini_uniform']:.2f})" for run, row in rows.items()}
