"""The audit of metrics, to print."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from lgq_explore.errors import InputError
from lgq_explore.frames.audit import AUDIT

from ..paper import fitting_columns, heading_above, legend_above
from ..printing import panel_grid, publication_style, publish_title
from ..style import GUIDE, log_ticks, printed_text
from .panels import BIAS, Quantity, magnitudes, metrics_of, percent_limits, shown_quantities, sizes_of, title_of

ROW_INCHES, PANEL_INCHES, MARKER = 0.21, 3.3, 3.5
SEEDS = {"marker": "|", "markersize": 7, "markeredgewidth": 1.2}


def publish_audit(audit: pd.DataFrame) -> Figure:
    """A row per metric, a mark per N: bias, noise, whether two methods are told apart, and agreement with the truth.

    audit: of `analysis.audit.audit`, or several of them in one frame; each has panels of its own. Bars are 95 %
    intervals. Darker marks are of more tokens, black ones of everything.

    Raises:
        InputError: a column is missing, no rows, or several audits on the width of a column.
    """
    AUDIT.require_rows(audit)
    parts = [rows for _, rows in audit.groupby("data", sort=False)]
    panels = [(rows, quantity) for rows in parts for quantity in shown_quantities(rows)]
    columns = max(len(shown_quantities(rows)) for rows in parts)
    if len(parts) > 1 and fitting_columns(columns) < columns:
        raise InputError(f"{len(parts)} audits don't fit the width of a column: give one of them")
    most = max(len(metrics_of(rows)) for rows in parts)
    with publication_style():
        figure, places = panel_grid(len(panels), columns, PANEL_INCHES, 0.9 + ROW_INCHES * most)
        for axes, (rows, quantity) in zip(places, panels, strict=True):
            _publish_panel(axes, rows, quantity)
        for axes, (rows, quantity) in zip(places, panels, strict=True):
            if quantity is BIAS:
                _legend(axes, rows, quantity)
            else:
                heading_above(axes, quantity.heading)
                _hide_names(axes, alone=fitting_columns(columns) < columns)
        publish_title(figure, title_of(audit))
    return figure


def _publish_panel(axes: Axes, audit: pd.DataFrame, quantity: Quantity) -> None:
    metrics = metrics_of(audit)
    for size in sizes_of(audit):
        values = size.rows[quantity.column]
        look = {"color": size.colour, "linestyle": "none", "markersize": MARKER}
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


def _legend(axes: Axes, audit: pd.DataFrame, quantity: Quantity) -> None:
    handles = [
        Line2D([], [], color=size.colour, marker="o", linestyle="none", markersize=5, label=size.name)
        for size in sizes_of(audit)
    ]
    heading = f"{audit['data'].iloc[0]}, by N tokens: {quantity.heading.lower()}"
    legend_above(axes, heading, handles, handlelength=0.8)


def _hide_names(axes: Axes, alone: bool) -> None:
    """Names of metrics stand at the first panel of a row only."""
    if not alone:
        axes.tick_params(labelleft=False)
