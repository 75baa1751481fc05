"""How unevenly tokens are spread over codes: usage by rank, and Lorenz curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import seaborn
from matplotlib.axes import Axes
from numpy.typing import NDArray

from lgq_explore.frames.usage import BY_RANK, COUNTED, LORENZ, SUMMARY, UNIFORM

from ..line_ends import EndLabel, SeedGroup, band, named_at_ends, seed_groups
from ..live import Trace, live_figure
from ..paper import legend_above
from ..run_looks import RunRows, rows_of_runs
from ..style import CHART_HEIGHT, GUIDE, Title, axis, layout, log_scale, note

RANK_TITLE = Title("Usage by rank", "most used code first, axes logarithmic")
LORENZ_TITLE = Title("Lorenz curve", "Gini, in brackets that of uniform sampling (thin)")
ALL_ALIKE = "all codes alike"
GUIDES = f"dashed: {ALL_ALIKE}<br>thin: uniform sampling"
"""Stands above the diagonal, where no Lorenz curve comes."""
RANK_X, RANK_Y = "rank of the code", "share of the tokens, %"
LORENZ_X, LORENZ_Y = "codes, least used first, % of K", "tokens they carry, %"


def draw_by_rank(ranks: pd.DataFrame, methods: Mapping[str, str]) -> go.Figure:
    """The share of the tokens that each code has, by rank, one line per run; both axes logarithmic.

    Runs that differ in their seed only share a band. Lines are named at their ends.

    ranks: that of `analysis.usage.by_rank`, of several runs. methods: each run's name and method.

    Raises:
        InputError: a column is missing, or a run's method is not said.
    """
    groups = seed_groups(rows_of_runs(ranks, BY_RANK, methods))
    scale = log_scale(100 * ranks["share"])
    labels = [EndLabel(group.label, group.colour, _last_height(group, scale["range"])) for group in groups]
    return live_figure(
        [trace for group in groups for trace in _rank_traces(group)],
        layout(
            RANK_TITLE,
            xaxis=axis(RANK_X, **log_scale(ranks["rank"])),
            yaxis=axis(RANK_Y, **scale),
            **named_at_ends(labels, CHART_HEIGHT),
        ),
    )


def _rank_traces(group: SeedGroup) -> list[Trace]:
    lines = [(part.rows["rank"], 100 * part.rows["share"]) for part in group.parts]
    return [
        *band(lines, group.colour),
        *(
            {
                "type": "scatter",
                "x": rank.to_numpy(),
                "y": percent.to_numpy(),
                "customdata": part.rows["code"].to_numpy(),
                "text": part.rows["count"].to_numpy(dtype=np.float64),
                "name": part.live,
                "mode": "lines",
                "line": {"color": part.look.colour, "dash": part.look.dash, "width": group.width},
                "hovertemplate": "rank %{x:,d}: code %{customdata:,d}<br>%{text:,d} tokens, %{y:.3~g} %",
            }
            for part, (rank, percent) in zip(group.parts, lines, strict=True)
        ),
    ]


def _last_height(group: SeedGroup, ends: Sequence[float]) -> float:
    """Where the lines of the group end, as a share of a logarithmic axis."""
    last = np.mean([100 * part.rows["share"].iloc[-1] for part in group.parts])
    return float((np.log10(last) - ends[0]) / (ends[1] - ends[0]))


def publish_by_rank(axes: Axes, ranks: pd.DataFrame, methods: Mapping[str, str]) -> None:
    """What `usage.draw_by_rank` shows, drawn into printed axes. Arguments and errors are the same."""
    for part in rows_of_runs(ranks, BY_RANK, methods):
        share = 100 * part.rows["share"]
        axes.loglog(part.rows["rank"], share, color=part.look.colour, linestyle=part.look.linestyle, label=part.printed)
    axes.set(xlabel=RANK_X, ylabel=RANK_Y)
    legend_above(axes, RANK_TITLE.subject)
    seaborn.despine(ax=axes)


def draw_lorenz(lorenz: pd.DataFrame, summary: pd.DataFrame, methods: Mapping[str, str]) -> go.Figure:
    """The share of the tokens that the least used codes carry, beside what uniform sampling would give (thin).

    Runs that differ in their seed only share a band. Lines are named at their ends, with the Gini coefficient.

    lorenz, summary: those of `analysis.usage.lorenz` and `summary`, of the same runs.

    Raises:
        InputError: a column is missing, or a run's method is not said.
    """
    ginis = _ginis(summary, methods)
    groups = seed_groups(rows_of_runs(lorenz, LORENZ, methods))
    diagonal = {
        "type": "scatter",
        "x": [0, 100],
        "y": [0, 100],
        "mode": "lines",
        "line": {"color": GUIDE, "width": 1, "dash": "dash"},
        "name": ALL_ALIKE,
        "hoverinfo": "skip",
    }
    labels = [EndLabel(group.label + _mean_gini(group, ginis), group.colour, 0.9) for group in groups]
    return live_figure(
        [*(trace for group in groups for trace in _lorenz_traces(group, ginis)), diagonal],
        layout(
            LORENZ_TITLE,
            xaxis=axis(LORENZ_X, range=[0, 100]),
            yaxis=axis(LORENZ_Y, range=[0, 101]),
            **named_at_ends(labels, CHART_HEIGHT, [note(GUIDES, 0.02, 1, below=True, shift=0, colour=GUIDE, size=11)]),
        ),
    )


def _lorenz_traces(group: SeedGroup, ginis: Mapping[str, _Gini]) -> Iterator[Trace]:
    def shares(part: RunRows, curve: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        rows = part.rows[part.rows["curve"] == curve]
        return 100 * rows["code_share"].to_numpy(), 100 * rows["token_share"].to_numpy()

    yield from band([shares(part, COUNTED) for part in group.parts], group.colour)
    for part in group.parts:
        for curve, width in ((COUNTED, group.width), (UNIFORM, group.width / 2)):
            codes, tokens = shares(part, curve)
            yield {
                "type": "scatter",
                "x": codes,
                "y": tokens,
                "name": f"{part.live}: Gini {ginis[part.run]}" if curve == COUNTED else f"{part.live}, {UNIFORM}",
                "mode": "lines",
                "line": {"color": part.look.colour, "dash": part.look.dash, "width": width},
                "hovertemplate": f"{part.live}, {curve}<br>"
                "the least used %{x:.1f} % of the codes<br>carry %{y:.2f} % of the tokens<extra></extra>",
            }


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
                label=f"{part.printed}: Gini {ginis[part.run]}" if curve == COUNTED else None,
            )
    axes.plot([0, 100], [0, 100], color=GUIDE, linestyle="--", linewidth=0.8, label=ALL_ALIKE)
    axes.set(xlabel=LORENZ_X, ylabel=LORENZ_Y, xlim=(0, 100), ylim=(0, 101))
    legend_above(axes, f"{LORENZ_TITLE.subject}; {LORENZ_TITLE.detail}")
    seaborn.despine(ax=axes)


@dataclass(frozen=True)
class _Gini:
    """The Gini coefficient of a run, and that of uniform sampling."""

    counted: float
    uniform: float

    def __str__(self) -> str:
        return f"{self.counted:.2f} ({self.uniform:.2f})"


def _ginis(summary: pd.DataFrame, methods: Mapping[str, str]) -> dict[str, _Gini]:
    parts = rows_of_runs(summary, SUMMARY, methods)
    rows = {part.run: part.rows.iloc[0] for part in parts}
    return {run: _Gini(row["gini"], row["gini_uniform"]) for run, row in rows.items()}


def _mean_gini(group: SeedGroup, ginis: Mapping[str, _Gini]) -> str:
    held = [ginis[part.run] for part in group.parts]
    return f" {_Gini(fmean(gini.counted for gini in held), fmean(gini.uniform for gini in held))}"
