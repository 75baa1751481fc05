"""Distortion of each run's codes beside that of k-means in the same space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lgq_explore.frames.geometry import EFFICIENCY, LATENTS

from ..paper import fitting_columns, legend_below, present_paper
from ..printing import figure_of_size, publication_style, publish_title
from ..run_looks import rows_of_runs
from ..style import GUIDE, INK, Title

UNITS = {LATENTS: "mean |z − c|², in the method's own space"}
PIXEL_UNIT = "mean squared error of values in [0, 1]"
DISTORTIONS = ["codes", "cell_means", "kmeans", "kmeans_in_hindsight"]
CODES: dict[str, Any] = {"marker": "o", "markersize": 7, "linestyle": "none"}
CELL_MEANS: dict[str, Any] = {"marker": "o", "markersize": 7, "linestyle": "none", "markerfacecolor": "white"}
KMEANS: dict[str, Any] = {"color": GUIDE, "linestyle": "--", "linewidth": 1.5}
HINDSIGHT: dict[str, Any] = {"color": GUIDE, "linestyle": ":", "linewidth": 1.5}
ROW_INCHES = 0.65


def publish_efficiency(efficiency: pd.DataFrame, methods: Mapping[str, str]) -> Figure:
    """A strip per run and measure: a dot for its codes, a ring for these moved to their cells' means, and k-means.

    efficiency: that of `analysis.geometry.efficiency`, of several runs. methods: each run's name and method. The dashed
    line is k-means of the training tokens, its shade the spread over the restarts; the dotted one is k-means in
    hindsight. Distances in the spaces of two methods have no common unit, so that each strip in latents has an axis
    of its own; those in pixels share one.

    Raises:
        InputError: a column is missing, or a run's method is not said.
    """
    parts = list(rows_of_runs(efficiency, EFFICIENCY, methods))
    measures = efficiency["measure"].unique().tolist()
    with publication_style():
        columns = len(measures) if fitting_columns(len(measures)) == len(measures) else 1
        blocks = len(measures) // columns  # measures that stand under each other
        width = present_paper().inches or 9.6
        figure = figure_of_size(width, 0.6 + blocks * (0.5 + ROW_INCHES * len(parts)))
        places = figure.subplots(blocks * len(parts), columns, squeeze=False)
        grid = places if columns > 1 else places.reshape(blocks, len(parts)).T
        for part, strips in zip(parts, grid, strict=True):
            for axes, measure in zip(strips, measures, strict=True):
                heading = f"{_facts(efficiency, measure)}\n" if part is parts[0] else ""
                _strip(axes, part.rows[part.rows["measure"] == measure], part.look.colour, heading)
                axes.set_xlim(0, _reach(part.rows if measure == LATENTS else efficiency, measure))
            for axes in strips if columns == 1 else strips[:1]:
                axes.set_yticks([0], [part.printed])
        for axes, measure in zip(grid[-1], measures, strict=True):
            axes.set_xlabel(UNITS.get(measure, PIXEL_UNIT), fontsize="small")
        seaborn.despine(figure, left=True)
        legend_below(figure, _handles())
        publish_title(figure, _title(efficiency))
    return figure


def _strip(axes: Axes, rows: pd.DataFrame, colour: str, heading: str) -> None:
    for _, row in rows.iterrows():
        spread = row["spread"] * row["codes"]
        axes.axvspan(row["kmeans"] - spread, row["kmeans"] + spread, color=GUIDE, alpha=0.15, linewidth=0)
        axes.axvline(row["kmeans"], **KMEANS)
        axes.axvline(row["kmeans_in_hindsight"], **HINDSIGHT)
        axes.plot(row["cell_means"], 0, color=colour, **CELL_MEANS)
        axes.plot(row["codes"], 0, color=colour, **CODES)
        axes.set_title(f"{heading}efficiency {row['efficiency']:.2f}", fontsize="small", loc="left")
    axes.set(ylim=(-1, 1), yticks=[])
    axes.locator_params(axis="x", nbins=5)
    axes.tick_params(axis="x", labelsize="x-small")
    axes.grid(axis="y", visible=False)


def _facts(efficiency: pd.DataFrame, measure: str) -> str:
    tokens = efficiency.loc[efficiency["measure"] == measure, "tokens"].unique()
    return f"in {measure}, N = {_listed(tokens)} tokens"


def _handles() -> list[Line2D]:
    return [
        Line2D([], [], color=INK, label="codes", **CODES),
        Line2D([], [], color=INK, label="moved to their cells' means", **CELL_MEANS),
        Line2D([], [], label="k-means of training tokens", **KMEANS),
        Line2D([], [], label="of these tokens, in hindsight", **HINDSIGHT),
    ]


def _title(efficiency: pd.DataFrame) -> Title:
    sizes, fitted = efficiency["codebook_size"].unique(), efficiency["fit_tokens"].unique()
    restarts = efficiency["restarts"].max()
    return Title(
        "What rounding loses, and what k-means would",
        f"K = {_listed(sizes)}; k-means of {_listed(fitted)} training tokens, best of {restarts}",
    )


def _listed(numbers: Sequence[Any]) -> str:
    return " and ".join(f"{number:,d}" for number in sorted({int(number) for number in numbers}))


def _reach(sharing: pd.DataFrame, measure: str) -> float:
    """The right end of an axis from 0 that these rows of a measure have in common."""
    values = sharing.loc[sharing["measure"] == measure, DISTORTIONS].to_numpy()
    largest = float(values[np.isfinite(values)].max(initial=0.0))
    return 1.1 * largest if largest > 0 else 1.0
