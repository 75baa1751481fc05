"""One number of all groups: means with intervals, and a point for each run."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import seaborn
from matplotlib.figure import Figure

from lgq_explore.frames.comparison import GROUP_NUMBERS, RUN_NUMBERS
from lgq_explore.frames.quantities import QUANTITIES, Quantity, counted, interval_text

from ..live import live_figure
from ..printing import new_figure, publication_style, publish_sentence, publish_title
from ..style import CHART_HEIGHT, INK, Title, axis, layout, live_text, method_colour, printed_text, sentence_when_empty
from .numbered import RUNS_AND_GROUPS, SEED_STRENGTH, Numbered, run_markers

ROW_PIXELS, BESIDE_ROWS = 30, 124
ROW_INCHES = 0.4
BELOW = 0.22
"""How far below the mean of their group single runs stand, of a row."""


def draw_group_numbers(numbers: pd.DataFrame, runs: pd.DataFrame, numbered: Numbered) -> go.Figure:
    """A row per group: its mean with the interval where there is one, and below it a point per run.

    numbers: of `analysis.comparison.group_numbers`, runs: of `run_numbers`, both of one number. A rounding replicate is
    an open point. customdata: `numbered`.

    Raises:
        InputError: a column is missing, or there are no rows.
    """
    rows = _Rows(numbers, runs)
    return live_figure(
        [_runs_trace(rows, numbered), _means_trace(rows, numbered)],
        layout(
            rows.title,
            height=max(CHART_HEIGHT, BESIDE_ROWS + ROW_PIXELS * len(rows.groups)),
            margin={"l": 40, "r": 24, "t": 52, "b": 56},
            showlegend=False,
            hovermode="closest",
            lights=RUNS_AND_GROUPS,
            xaxis=axis(rows.quantity.heading, visible=rows.why == ""),
            yaxis=axis(
                "",
                range=[len(rows.groups) - 0.5, -0.5],
                tickvals=list(rows.places.values()),
                ticktext=[live_text(name) for name in rows.places],
                showgrid=False,
                visible=rows.why == "",
            ),
            annotations=[sentence_when_empty(live_text(rows.why), empty=rows.why != "")],
        ),
    )


def publish_group_numbers(numbers: pd.DataFrame, runs: pd.DataFrame) -> Figure:
    """What `comparison.draw_group_numbers` shows, to print. Errors are the same."""
    rows = _Rows(numbers, runs)
    with publication_style():
        figure = new_figure(6.5, 1.5 + ROW_INCHES * len(rows.groups))
        if rows.why:
            return publish_sentence(figure, rows.why)
        axes = figure.subplots()
        for _, run in rows.runs.iterrows():
            colour = method_colour(run["method"])
            face = "none" if run["replicate"] else colour
            place = rows.places[run["group"]] + BELOW
            axes.scatter(run["value"], place, s=18, facecolor=face, edgecolor=colour, alpha=SEED_STRENGTH)
        for _, group in rows.groups.iterrows():
            bars = _bars(group)
            axes.errorbar(
                group["estimate"],
                rows.places[group["group"]],
                xerr=None if bars is None else [[bars[0]], [bars[1]]],
                fmt="o",
                markersize=6,
                capsize=3,
                color=method_colour(group["method"]),
            )
        axes.set(xlabel=rows.quantity.heading, ylim=(len(rows.groups) - 0.5, -0.5))
        axes.set_yticks(list(rows.places.values()), [printed_text(name) for name in rows.places])
        axes.grid(axis="y", visible=False)
        seaborn.despine(ax=axes)
        publish_title(figure, rows.title)
    return figure


class _Rows:
    """Both frames with what is said of them. why: there is nothing to draw, a sentence."""

    def __init__(self, numbers: pd.DataFrame, runs: pd.DataFrame) -> None:
        GROUP_NUMBERS.require_rows(numbers)
        RUN_NUMBERS.require(runs)
        self.groups, self.runs = numbers, runs.dropna(subset="value")
        self.quantity: Quantity = QUANTITIES[str(numbers["number"].iloc[0])]
        self.places = {str(name): place for place, name in enumerate(numbers["group"])}
        self.why = "" if numbers["estimate"].notna().any() else str(numbers["why"].iloc[0])
        self.title = Title(self.quantity.name, _counted(numbers))


def _counted(numbers: pd.DataFrame) -> str:
    photographs = counted(int(numbers["photographs"].iloc[0]), "held-out photograph")
    fewest, most = int(numbers["seeds"].min()), int(numbers["seeds"].max())
    seeds = counted(most, "seed") if fewest == most else f"{fewest} to {most} seeds"
    level = numbers["level"][numbers["low"].notna()]
    bars = f", bars: {level.iloc[0]:.0%} intervals" if len(level) else ", no intervals"
    return f"{photographs}, {seeds}{bars}"


def _bars(group: pd.Series) -> tuple[float, float] | None:
    if not math.isfinite(group["low"]):
        return None
    return group["estimate"] - group["low"], group["high"] - group["estimate"]


def _runs_trace(rows: _Rows, numbered: Numbered) -> dict[str, Any]:
    runs = rows.runs
    return {
        "type": "scatter",
        "mode": "markers",
        "x": runs["value"].tolist(),
        "y": [rows.places[name] + BELOW for name in runs["group"]],
        "customdata": [numbered.runs[name] for name in runs["run"]],
        "text": [run_text(run, rows.quantity) for _, run in runs.iterrows()],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": run_markers(runs),
    }


def _means_trace(rows: _Rows, numbered: Numbered) -> dict[str, Any]:
    groups = rows.groups
    bars = [_bars(group) or (0.0, 0.0) for _, group in groups.iterrows()]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": groups["estimate"].tolist(),
        "y": list(rows.places.values()),
        "customdata": [numbered.groups[name] for name in groups["group"]],
        "text": [group_text(group, rows.quantity) for _, group in groups.iterrows()],
        "hovertemplate": "%{text}<extra></extra>",
        "error_x": {
            "type": "data",
            "symmetric": False,
            "arrayminus": [below for below, _ in bars],
            "array": [above for _, above in bars],
            "color": INK,
            "thickness": 1.5,
        },
        "marker": {"size": 11, "color": [method_colour(method) for method in groups["method"]]},
    }


def group_text(group: pd.Series, quantity: Quantity) -> str:
    """What is said of a group's mean when it is hovered, for plotly."""
    if not math.isfinite(group["estimate"]):
        return live_text(f"{group['group']}: {group['why']}")
    interval = interval_text(quantity, group["low"], group["high"])
    said = f"{group['group']}: {quantity.with_unit(group['estimate'])} {interval}".strip()
    of = f"mean of {counted(int(group['seeds']), 'seed')} on {counted(int(group['photographs']), 'photograph')}"
    return f"{live_text(said)}<br>{of}"


def run_text(run: pd.Series, quantity: Quantity) -> str:
    """What is said of a run when it is hovered, for plotly."""
    replicate = f", rounding replicate {run['replicate']}" if run["replicate"] else ""
    said = f"{run['group']}, seed {run['seed']}{replicate}: {quantity.with_unit(run['value'])}"
    return f"{live_text(said)}<br>run {live_text(run['run'])}"
