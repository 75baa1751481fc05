"""Was a run's temperature, at each snapshot, low enough for its codes to part?"""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
import seaborn
from matplotlib.figure import Figure

from lgq_explore.errors import InputError

from ..style import (
    BLUE,
    DEAD,
    GUIDE,
    ORANGE,
    VERMILION,
    Title,
    axis,
    layout,
    new_figure,
    publication_style,
    publish_title,
)

COLUMNS = {"step", "temperature", "critical_temperature", "to_split", "settled", "idle", "tokens"}
KINDS = {
    "settled": ("settled: too warm to split", BLUE),
    "to_split": ("cold enough to split", ORANGE),
    "idle": ("answer for next to nothing", DEAD),
}
"""Columns that add up to K, with their names and colours, from below."""


def draw_bifurcations(bifurcations: pd.DataFrame) -> go.Figure:
    """Codes of each kind over the steps of training, one bar a snapshot, and below the temperature in force and τ_c.

    bifurcations: of `analysis.temperature.bifurcations`. A trace a kind, one for the temperature and one for τ_c.

    Raises:
        InputError: a frame of something else, or without snapshots.
    """
    _require(bifurcations)
    steps = bifurcations["step"].astype(str).to_numpy()
    bars = [
        go.Bar(x=steps, y=bifurcations[kind].to_numpy(), name=name, marker={"color": colour, "line": {"width": 0}})
        for kind, (name, colour) in KINDS.items()
    ]
    lines = [
        go.Scatter(
            x=steps,
            y=bifurcations[column].to_numpy(),
            name=name,
            mode="lines",
            line={"color": colour, "width": 2, "dash": dash},
            yaxis="y2",
        )
        for column, name, colour, dash in (
            ("temperature", "temperature in force", GUIDE, "solid"),
            ("critical_temperature", "τ_c of the tokens", VERMILION, "dash"),
        )
    ]
    return go.Figure(
        [*bars, *lines],
        layout(
            _title(bifurcations),
            height=420,
            barmode="stack",
            bargap=0.25,
            legend={"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"},
            margin={"l": 64, "r": 24, "t": 96, "b": 56},
            xaxis=axis("codebook of step", type="category", anchor="y2"),
            yaxis=axis("codes", domain=[0.36, 1]),
            yaxis2=axis("temperature τ", type="log", domain=[0, 0.28], dtick="D2", tickformat="~g"),
        ),
    )


def publish_bifurcations(bifurcations: pd.DataFrame) -> Figure:
    """What `temperature.draw_bifurcations` shows, to print. Arguments and errors are the same."""
    _require(bifurcations)
    with publication_style():
        figure = new_figure(6.4, 4.2)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
        steps, bottom = bifurcations["step"].astype(str), 0
        for kind, (name, colour) in KINDS.items():
            above.bar(steps, bifurcations[kind], bottom=bottom, color=colour, label=name, linewidth=0, width=0.75)
            bottom = bottom + bifurcations[kind]
        above.set_ylabel("codes")
        above.legend(frameon=False, fontsize="x-small", ncols=3, loc="lower left", bbox_to_anchor=(0, 1))
        below.plot(steps, bifurcations["temperature"], color=GUIDE, label="in force")
        below.plot(steps, bifurcations["critical_temperature"], color=VERMILION, linestyle="--", label=r"$\tau_c$")
        below.set(yscale="log", xlabel="codebook of step", ylabel="τ")
        below.legend(frameon=False, fontsize="x-small")
        seaborn.despine(figure)
        publish_title(figure, _title(bifurcations))
    return figure


def _title(bifurcations: pd.DataFrame) -> Title:
    codes = int(bifurcations[list(KINDS)].iloc[0].sum())
    return Title(
        "Codes and their split temperatures", f"K = {codes:,d}, N = {bifurcations['tokens'].iloc[0]:,d} tokens"
    )


def _require(bifurcations: pd.DataFrame) -> None:
    missing = COLUMNS - set(bifurcations.columns)
    if missing or bifurcations.empty:
        raise InputError(
            f"the frame has {len(bifurcations)} rows and lacks the columns {sorted(missing)}: "
            "give one of analysis.temperature.bifurcations"
        )
