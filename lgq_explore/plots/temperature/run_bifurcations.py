"""Codes of a run that could split at each snapshot, and its temperature there."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn
from matplotlib.figure import Figure

from lgq_explore.frames.health import STEP_MARKS
from lgq_explore.frames.temperature import BIFURCATIONS

from ..paper import legend_above
from ..printing import new_figure, publication_style, publish_title
from ..step_marks import NO_MARKS, publish_marks
from ..style import BLUE, DEAD, GUIDE, ORANGE, VERMILION, Title

KINDS = {
    "settled": ("settled: too warm to split", BLUE),
    "to_split": ("cold enough to split", ORANGE),
    "idle": ("answer for next to nothing", DEAD),
}
"""Columns that add up to K, with their names and colours, from the bottom of a bar."""


def publish_bifurcations(bifurcations: pd.DataFrame, marks: pd.DataFrame = NO_MARKS) -> Figure:
    """Codes of each kind over the steps of training, one bar per snapshot, and below the temperature in force and τ_c.

    bifurcations: of `analysis.temperature.bifurcations`. marks: that of `analysis.health.step_marks`, each a line, at
    its place between the snapshots.

    Raises:
        InputError: a column is missing, or there are no snapshots.
    """
    BIFURCATIONS.require_rows(bifurcations)
    with publication_style():
        figure = new_figure(6.4, 4.2, rows=2)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
        steps, bottom = bifurcations["step"].astype(str), 0
        for kind, (name, colour) in KINDS.items():
            above.bar(steps, bifurcations[kind], bottom=bottom, color=colour, label=name, linewidth=0, width=0.75)
            bottom = bottom + bifurcations[kind]
        above.set_ylabel("codes")
        legend_above(above)
        below.plot(steps, bifurcations["temperature"], color=GUIDE, label="in force")
        below.plot(steps, bifurcations["critical_temperature"], color=VERMILION, linestyle="--", label=r"$\tau_c$")
        below.set(yscale="log", xlabel="codebook of step", ylabel="τ")
        legend_above(below)
        places = _between_bars(marks, bifurcations["step"])
        for axes in (above, below):
            publish_marks(axes, places, pd.Series(range(len(bifurcations))))
        seaborn.despine(figure)
        publish_title(figure, _title(bifurcations))
    return figure


def _between_bars(marks: pd.DataFrame, steps: pd.Series) -> pd.DataFrame:
    """The marks up to the last snapshot, with places among the bars, which are numbered, instead of steps."""
    STEP_MARKS.require(marks)
    reached = marks[marks["step"] <= steps.max()]
    return reached.assign(step=np.interp(reached["step"], steps, range(len(steps))))


def _title(bifurcations: pd.DataFrame) -> Title:
    codes = int(bifurcations[list(KINDS)].iloc[0].sum())
    return Title(
        "Codes and their split temperatures", f"K = {codes:,d}, N = {bifurcations['tokens'].iloc[0]:,d} tokens"
    )
