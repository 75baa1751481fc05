"""Geometry efficiency of the codes of each run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import seaborn
from matplotlib.figure import Figure

from lgq_explore.frames.geometry import EFFICIENCY

from ..run_looks import rows_of_runs
from ..style import GUIDE, INK, Title, new_figure, publication_style, publish_title

CODES, CELL_MEANS, KMEANS = "codes", "moved to their cells' means", "k-means = 1"
ROW_INCHES = 0.34


def publish_efficiency(efficiency: pd.DataFrame, methods: Mapping[str, str]) -> Figure:
    """One panel per measure, one line per run: a dot for its codes, a ring for these moved to their cells' means.

    efficiency: that of `analysis.geometry.efficiency`, of several runs. methods: each run's name and method. A
    dashed line at 1 is k-means; bars are the spread over its restarts, mostly narrower than the dot.

    Raises:
        InputError: a column is missing, or a run's method is not said.
    """
    parts = list(rows_of_runs(efficiency, EFFICIENCY, methods))
    measures = efficiency["measure"].unique().tolist()
    with publication_style():
        figure = new_figure(9.6, 1.7 + ROW_INCHES * len(parts))
        grid = figure.subplots(1, len(measures), sharex=True, sharey=True, squeeze=False)[0]
        for axes, measure in zip(grid, measures, strict=True):
            for place, part in enumerate(parts):
                for _, row in part.rows[part.rows["measure"] == measure].iterrows():
                    colour = part.look.colour
                    ring = {"marker": "o", "facecolor": "white", "edgecolor": colour, "s": 40, "zorder": 3}
                    axes.scatter(row["cell_means_efficiency"], place, **ring)
                    axes.errorbar(row["efficiency"], place, xerr=row["spread"], fmt="o", color=colour, zorder=4)
            axes.axvline(1, color=GUIDE, linestyle="--", linewidth=1)
            axes.set_title(_facts(efficiency, measure), fontsize="medium", loc="left")
            axes.set(xlim=(0, _reach(efficiency)), xlabel="efficiency", ylim=(len(parts) - 0.5, -0.5))
            axes.set_yticks(range(len(parts)), [part.printed for part in parts])
            axes.grid(axis="y", visible=False)
        seaborn.despine(figure)
        handles = [
            grid[0].scatter([], [], color=INK, s=36, label=CODES),
            grid[0].scatter([], [], facecolor="white", edgecolor=INK, s=40, label=CELL_MEANS),
            *grid[0].plot([], [], color=GUIDE, linestyle="--", linewidth=1, label=KMEANS),
        ]
        figure.legend(handles=handles, loc="outside lower left", ncols=3, frameon=False)
        publish_title(figure, _title(efficiency))
    return figure


def _facts(efficiency: pd.DataFrame, measure: str) -> str:
    tokens = efficiency.loc[efficiency["measure"] == measure, "tokens"].unique()
    return f"in {measure}, N = {_listed(tokens)} tokens"


def _title(efficiency: pd.DataFrame) -> Title:
    sizes, fitted = efficiency["codebook_size"].unique(), efficiency["fit_tokens"].unique()
    restarts = efficiency["restarts"].max()
    return Title(
        "Geometry efficiency",
        f"K = {_listed(sizes)}; k-means of {_listed(fitted)} training tokens, best of {restarts}",
    )


def _listed(numbers: Sequence[Any]) -> str:
    return " and ".join(f"{number:,d}" for number in sorted({int(number) for number in numbers}))


def _reach(efficiency: pd.DataFrame) -> float:
    """The right end of the axis: a little beyond 1, or beyond the best where k-means was beaten."""
    both = efficiency[["efficiency", "cell_means_efficiency"]].to_numpy()
    return float(1.1 * max(1.0, both[both < float("inf")].max(initial=1.0)))
