"""The audit of metrics, to explore."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lgq_explore.errors import InputError
from lgq_explore.frames.audit import AUDIT

from ..live import Trace, live_figure
from ..style import GUIDE, axis, layout, live_text, log_scale, note
from .panels import (
    BIAS,
    Quantity,
    Size,
    magnitudes,
    metrics_of,
    percent_limits,
    shown_quantities,
    sizes_of,
    title_of,
)

ROW_PIXELS, GAP = 26, 0.035
SIGNS = ("triangle-up", "triangle-down")


def draw_audit(audit: pd.DataFrame) -> go.Figure:
    """What `publish_audit` prints, of one audit. A size is hidden and shown by its name in the legend.

    Raises:
        InputError: a column is missing, no rows, or several audits.
    """
    AUDIT.require_rows(audit)
    if audit["data"].nunique() > 1:
        raise InputError(f"{audit['data'].nunique()} audits in one frame: give the rows of one, by their data")
    quantities, metrics = shown_quantities(audit), metrics_of(audit)
    width = (1 - GAP * (len(quantities) - 1)) / len(quantities)
    axes: dict[str, Any] = {}
    notes, guides, traces = [], [], []
    for number, quantity in enumerate(quantities):
        name, start = f"x{number + 1}" if number else "x", number * (width + GAP)
        place = {"domain": [start, start + width], "anchor": "y"}
        axes[name.replace("x", "xaxis")] = _axis(audit, quantity) | place
        notes.append(note(f"<b>{quantity.heading}</b>", start, 1))
        if not quantity.is_percent:
            line = {"type": "line", "xref": name, "x0": quantity.guide, "x1": quantity.guide}
            guides.append(
                {**line, "yref": "paper", "y0": 0, "y1": 1, "line": {"color": GUIDE, "dash": "dash", "width": 1}}
            )
        for size in sizes_of(audit):
            traces += _traces(size, quantity, name, in_legend=quantity is quantities[-1])
    return live_figure(
        traces,
        layout(
            title_of(audit),
            height=144 + ROW_PIXELS * len(metrics),
            least_width=240 * len(quantities),
            margin={"l": 190, "r": 12, "t": 84, "b": 84},
            legend={
                "orientation": "h",
                "y": 0,
                "yref": "container",
                "yanchor": "bottom",
                "title": {"text": "N tokens"},
            },
            annotations=notes,
            shapes=guides,
            yaxis=axis(
                "",
                range=[len(metrics) - 0.5, -0.5],
                tickvals=list(range(len(metrics))),
                ticktext=[live_text(metric.replace("_", " ")) for metric in metrics],
            ),
            **axes,
        ),
    )


def _axis(audit: pd.DataFrame, quantity: Quantity) -> dict[str, Any]:
    if quantity.is_percent:
        low, high = percent_limits(audit)
        scale = log_scale([low, high], most=5) | {"range": [math.log10(low), math.log10(high)]}
        return axis(quantity.axis, **scale)
    low, high = quantity.limits
    return axis(quantity.axis, range=[low - 0.03, high + 0.03], tickvals=np.linspace(low, high, 5).tolist())


def _traces(size: Size, quantity: Quantity, name: str, in_legend: bool) -> list[Trace]:
    """The marks of one size in one panel; of noise, also those over seeds."""
    rows = size.rows
    shown: dict[str, Any] = {"type": "scatter", "y": size.places, "xaxis": name, "yaxis": "y", "mode": "markers"}
    shown |= {
        "legendgroup": size.name,
        "name": size.name,
        "showlegend": in_legend,
        "text": rows["metric"].tolist(),
    }
    values = rows[quantity.column]
    marker: dict[str, Any] = {"color": size.colour, "size": 7}
    if not quantity.is_percent:
        ends = {"type": "data", "symmetric": False, "color": size.colour, "thickness": 1, "width": 0}
        above, below = rows[quantity.high] - values, values - rows[quantity.low]
        bar = ends | {"array": above.to_numpy(), "arrayminus": below.to_numpy()}
        said = "%{text}, N = " + size.name + ": %{x:.2f}<extra></extra>"
        return [{**shown, "x": values.to_numpy(), "error_x": bar, "marker": marker, "hovertemplate": said}]
    said = "%{text}, N = " + size.name + ": %{customdata:.3g} %<extra></extra>"
    if quantity is BIAS:
        marker["symbol"] = [SIGNS[int(value < 0)] for value in values]
    percent = {"x": magnitudes(values).to_numpy(), "customdata": values.to_numpy(), "hovertemplate": said}
    traces = [{**shown, **percent, "marker": marker}]
    if quantity.beside:
        beside = rows[quantity.beside]
        line = {"symbol": "line-ns-open", "color": size.colour, "size": 9}
        over_seeds = said.replace("%{customdata", "over seeds %{customdata")
        drawn = {"x": magnitudes(beside).to_numpy(), "customdata": beside.to_numpy(), "hovertemplate": over_seeds}
        traces.append({**shown, **drawn, "marker": line, "showlegend": False})
    return traces
