"""Share of the codebook that is used, by each definition found in papers."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import seaborn
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from lgq_explore.frames.usage import DEFINITIONS

from ..contrast import ink_on
from ..line_ends import EndLabel, SeedGroup, band, named_at_ends, seed_groups
from ..live import Trace, live_figure
from ..paper import fitting_columns, legend_above
from ..run_looks import RunRows, rows_of_runs
from ..style import CHART_HEIGHT, GUIDE, Title, axis, layout

TITLE = Title("Definitions of usage", "in a point: the run's rank")
Y_TITLE = "codes used, % of K"
TOO_FEW = "too few<br>tokens"
NAME_LETTERS, LINE_LETTERS = 10, 12
"""Letters in a line of a name below a printed axis, and below that of a screen."""
TICKS = [base * 10.0**power for power in range(-4, 3) for base in (1, 2, 5)]
RANK: dict[str, Any] = {"ha": "center", "va": "center_baseline", "fontsize": "small"}
NOTE: dict[str, Any] = {"ha": "center", "va": "center", "color": GUIDE, "fontsize": "small"}


def draw_definitions(definitions: pd.DataFrame, methods: Mapping[str, str]) -> go.Figure:
    """The share of the codebook that each definition counts as used, one line per run. Where lines cross, ranks change.

    definitions: that of `analysis.usage.definitions`. methods: each run's name and method. What could not be counted
    leaves a gap. Runs that differ in their seed only share a band. Lines are named at their ends.

    Raises:
        InputError: a column is missing, or a run's method is not said.
    """
    groups = seed_groups(rows_of_runs(definitions, DEFINITIONS, methods))
    ends = np.log10(_limits(definitions)).tolist()
    labels = [EndLabel(group.label, group.colour, _last_height(group, ends)) for group in groups]
    notes = [
        {"x": name, "y": 0.5, "yref": "paper", "text": TOO_FEW, "showarrow": False, "font": {"color": GUIDE}}
        for name in _wrapped(_uncounted(definitions))
    ]
    scale = {"type": "log", "range": ends, "tickvals": TICKS, "ticktext": [f"{tick:g}" for tick in TICKS]}
    return live_figure(
        [trace for group in groups for trace in _traces(group)],
        layout(
            TITLE,
            least_width=400,
            xaxis=axis("", type="category", tickangle=0, showgrid=False),
            yaxis=axis(Y_TITLE, **scale),
            **named_at_ends(labels, CHART_HEIGHT, notes),
        ),
    )


def _traces(group: SeedGroup) -> Iterator[Trace]:
    lines = [(_wrapped(part.rows["definition"]), 100 * part.rows["utilization"]) for part in group.parts]
    yield from band(lines, group.colour)
    for part, (names, percent) in zip(group.parts, lines, strict=True):
        yield {
            "type": "scatter",
            "x": names,
            "y": percent.to_numpy(),
            "text": _ranks(part),
            "customdata": part.rows[["codes", "tokens"]].to_numpy(),
            "name": part.live,
            "mode": "lines+markers+text",
            "textposition": "middle center",
            "textfont": {"color": ink_on(part.look.colour), "size": 11},
            "line": {"color": part.look.colour, "dash": part.look.dash, "width": group.width},
            "marker": {"size": 17},
            "cliponaxis": False,
            "hovertemplate": f"{part.live}: %{{customdata[0]:,.0f}} codes, %{{y:.1f}} % of K"
            "<br>among %{customdata[1]:,d} tokens<extra></extra>",
        }


def _last_height(group: SeedGroup, ends: list[float]) -> float:
    """Where the lines of the group end, as a share of the logarithmic axis; at its foot where nothing is counted."""
    used = [part.rows.loc[part.rows["utilization"] > 0, "utilization"] for part in group.parts]
    last = [100 * counted.iloc[-1] for counted in used if len(counted)]
    return float((np.log10(np.mean(last)) - ends[0]) / (ends[1] - ends[0])) if last else 0.0


def publish_definitions(axes: Axes, definitions: pd.DataFrame, methods: Mapping[str, str]) -> None:
    """What `usage.draw_definitions` shows, drawn into printed axes. Arguments and errors are the same."""
    for part in rows_of_runs(definitions, DEFINITIONS, methods):
        places, percent = range(len(part.rows)), 100 * part.rows["utilization"]
        colour, style = part.look.colour, part.look.linestyle
        axes.plot(places, percent, color=colour, linestyle=style, marker="o", markersize=11, label=part.printed)
        for place, height, rank in zip(places, percent, _ranks(part), strict=True):
            axes.annotate(rank, (place, height), **RANK, color=ink_on(colour))
        _name_definitions(axes, part.rows["definition"].tolist())
    names = definitions["definition"].unique().tolist()
    for name in _uncounted(definitions):
        axes.text(names.index(name), 0.5, _in_lines(TOO_FEW), transform=axes.get_xaxis_transform(), **NOTE)
    low, high = _limits(definitions)
    axes.set(yscale="log", ylabel=Y_TITLE, ylim=(low, high))
    axes.set_yticks(shown := [tick for tick in TICKS if low <= tick <= high], [f"{tick:g}" for tick in shown])
    axes.yaxis.set_minor_locator(NullLocator())
    axes.grid(axis="x", visible=False)
    legend_above(axes, f"{TITLE.subject}; {TITLE.detail}", markerscale=0.6)
    seaborn.despine(ax=axes)


def _name_definitions(axes: Axes, names: list[str]) -> None:
    """Names below the axis, in lines beside each other, or slanted where the paper is too narrow for that."""
    if fitting_columns(2) == 1:
        axes.set_xticks(range(len(names)), names, rotation=35, ha="right", rotation_mode="anchor")
    else:
        axes.set_xticks(range(len(names)), ["\n".join(textwrap.wrap(name, NAME_LETTERS)) for name in names])


def _ranks(part: RunRows) -> list[str]:
    return ["" if pd.isna(rank) else f"{rank:.0f}" for rank in part.rows["rank"]]


def _limits(definitions: pd.DataFrame) -> tuple[float, float]:
    """Limits of the axis in per cent, from a labelled tick below all points to a little above them."""
    percent = 100 * definitions["utilization"]
    counted = percent[percent > 0]
    if counted.empty:
        return 1.0, 100.0
    below = [tick for tick in TICKS if tick < counted.min() / 1.1]
    return max(below, default=TICKS[0]), 1.4 * counted.max()


def _uncounted(definitions: pd.DataFrame) -> pd.Series:
    """Definitions for which no run has enough tokens."""
    counted = definitions.groupby("definition", sort=False)["codes"].count()
    return counted.index[counted == 0].to_series()


def _in_lines(text: str) -> str:
    return text.replace("<br>", "\n")


def _wrapped(names: pd.Series) -> list[str]:
    """Names in two lines of about the same length, since five stand side by side; a long number has its own line."""
    wrapped = []
    for name in names:
        spaces = [at for at, letter in enumerate(name) if letter == " "]
        middle = min(spaces, key=lambda at: abs(at - len(name) / 2), default=None)
        halves = [name] if middle is None else [name[:middle], name[middle + 1 :]]
        wrapped.append("<br>".join(half.replace(" ", "<br>") if len(half) > LINE_LETTERS else half for half in halves))
    return wrapped
