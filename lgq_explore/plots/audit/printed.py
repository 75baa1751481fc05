"""The audit of metrics, to print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from lgq_explore.errors import InputError
from lgq_explore.frames.audit import AUDIT

from ..paper import PAGE_INCHES, fitting_columns, heading_above, legend_below, present_paper
from ..printing import figure_of_size, publication_style, publish_title
from ..style import GUIDE, log_ticks, printed_text
from .panels import BIAS, Quantity, magnitudes, metrics_of, percent_limits, shown_quantities, sizes_of, title_of

PANEL_INCHES, MARKER = 3.3, 3.5
SCREEN_ROW, PAPER_ROW = 0.21, 0.135
"""Inches of height for a metric."""
AROUND_INCHES, LEGEND_INCHES = 0.75, 1.1
"""Inches of height for a panel's heading and axis, and for the title and the legend."""
SEEDS: dict[str, Any] = {"marker": "|", "markersize": 7, "markeredgewidth": 1.2}


def publish_audit(audit: pd.DataFrame) -> Figure:
    """A row per metric, a mark per N: bias, noise, whether two methods are told apart, and agreement with the truth.

    audit: of `analysis.audit.audit`, or several of them in one frame; each has panels of its own. Bars are 95 %
    intervals. Darker marks are of more tokens, black ones of everything. Percentages below 0.1 are drawn at 0.1.

    Raises:
        InputError: a column is missing, no rows, or several audits on the width of a column.
    """
    AUDIT.require_rows(audit)
    parts = [rows for _, rows in audit.groupby("data", sort=False)]
    columns = max(len(shown_quantities(rows)) for rows in parts)
    is_narrow = fitting_columns(columns) < columns
    if len(parts) > 1 and is_narrow:
        raise InputError(f"{len(parts)} audits don't fit the width of a column: give one of them")
    with publication_style():
        figure, grid = _panels(parts, columns, is_narrow)
        for rows, places in zip(parts, grid, strict=True):
            for place, quantity in enumerate(shown_quantities(rows)):
                _publish_panel(places[place], rows, quantity)
                names_data = len(parts) > 1 and place == 0
                heading = f"{rows['data'].iloc[0]}: {quantity.heading.lower()}" if names_data else quantity.heading
                heading_above(places[place], heading)
                # Names of metrics stand at the first panel of a row only.
                places[place].tick_params(labelleft=is_narrow or place == 0)
            for spare in places[len(shown_quantities(rows)) :]:
                spare.set_axis_off()
        legend_below(figure, [handle for rows in parts for handle in _handles(rows, len(parts) > 1)])
        publish_title(figure, title_of(audit))
    return figure


def _panels(parts: Sequence[pd.DataFrame], columns: int, is_narrow: bool) -> tuple[Figure, list[list[Axes]]]:
    """The panels of each audit, beside each other or, on narrow paper, below each other; a metric has one height."""
    paper = present_paper()
    counts = [len(metrics_of(rows)) for rows in parts for _ in range(columns if is_narrow else 1)]
    around = AROUND_INCHES * len(counts)
    row = SCREEN_ROW
    if paper.inches is not None:
        row = min(PAPER_ROW, (PAGE_INCHES - LEGEND_INCHES - around) / sum(counts))
    width = paper.inches or columns * PANEL_INCHES
    figure = figure_of_size(width, LEGEND_INCHES + around + row * sum(counts))
    heights = [AROUND_INCHES + row * count for count in counts]
    axes = figure.subplots(len(counts), 1 if is_narrow else columns, squeeze=False, height_ratios=heights)
    return figure, [list(axes.flat)] if is_narrow else [list(places) for places in axes]


def _publish_panel(axes: Axes, audit: pd.DataFrame, quantity: Quantity) -> None:
    metrics = metrics_of(audit)
    for size in sizes_of(audit):
        values = size.rows[quantity.column]
        look: dict[str, Any] = {"color": size.colour, "linestyle": "none", "markersize": MARKER}
        if quantity.is_percent:
            for marker, chosen in _markers(quantity, values):
                axes.plot(magnitudes(values)[chosen], size.places[chosen], marker=marker, **look)
        else:
            axes.hlines(size.places, size.rows[quantity.low], size.rows[quantity.high], size.colour, linewidth=1)
            axes.plot(values, size.places, marker="o", **look)
        if quantity.beside:
            axes.plot(magnitudes(size.rows[quantity.beside]), size.places, **(look | SEEDS))
    if quantity.is_percent:
        low, high = percent_limits(audit)
        axes.set(xscale="log", xlim=(low, high))
        axes.set_xticks(log_ticks(low, high, 5))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.axvline(quantity.guide, color=GUIDE, linestyle="--", linewidth=1)
        axes.set_xlim(*(1.02 * np.array(quantity.limits) - 0.02 * (quantity.limits[0] == 0)))
    axes.set_xlabel(quantity.axis)
    axes.set_ylim(len(metrics) - 0.5, -0.5)
    axes.set_yticks(range(len(metrics)), [printed_text(metric.replace("_", " ")) for metric in metrics])
    seaborn.despine(ax=axes)


def _markers(
    quantity: Quantity, values: pd.Series
) -> list[tuple[str, np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]]:
    """The markers of percentages, each with the rows that have it: the sign of a bias, a dot for others."""
    if quantity is not BIAS:
        return [("o", np.ones(len(values), dtype=bool))]
    return [("^", (values >= 0).to_numpy()), ("v", (values < 0).to_numpy())]


def _handles(audit: pd.DataFrame, names_data: bool) -> list[Line2D]:
    """The entries of the legend: N of each size, and of what where there are several audits."""
    of = f"{audit['data'].iloc[0]}, " if names_data else ""
    look: dict[str, Any] = {"marker": "o", "linestyle": "none", "markersize": 5}
    return [Line2D([], [], color=size.colour, label=f"{of}N = {size.name}", **look) for size in sizes_of(audit)]
