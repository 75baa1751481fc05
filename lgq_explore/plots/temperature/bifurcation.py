"""Paths of centres from hot to cold, and the temperatures at which they split."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import seaborn
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from lgq_explore.frames.temperature import ANNEALED_STATES, annealed_centres

from ..live import Trace, live_figure
from ..paper import legend_above
from ..printing import EVEN_COLOURS, new_figure, publication_style, publish_title
from ..style import BLUE, GUIDE, INK, ON_TOP, VERMILION, Title, axis, layout, log_scale
from ..toys.plane import code_colours

TEMPERATURE = "temperature τ, hot at left"
NAME_SIZE = 12
HEIGHT = 190
"""Screen pixels of a curve below the planes, so that both fit a screen."""


def draw_bifurcation(centres: pd.DataFrame, states: pd.DataFrame, critical: float, along: int = 0) -> go.Figure:
    """One coordinate of every centre against the temperature, hot at left. One trace per code.

    centres, states: of an `analysis.temperature.AnnealingPath`. critical: τ_c, dashed. along: which axis.
    `mark_present` lays the present temperature on top.

    Raises:
        InputError: a column is missing, or there are no rows.
    """
    coordinate = _coordinate(centres, states, along)
    codes = int(centres["code"].max()) + 1
    colours = code_colours(codes)
    branches = [
        {
            "type": "scatter",
            "x": rows["temperature"].to_numpy(),
            "y": rows[coordinate].to_numpy(),
            "mode": "lines",
            "line": {"color": _css(colours[code]), "width": 2},
            "name": f"code {code}",
            "hovertemplate": f"code {code} at τ = %{{x:.3~g}}: %{{y:.2f}}<extra></extra>",
        }
        for code, rows in centres.groupby("code")
    ]
    measure = axis("first coordinate" if along == 0 else f"coordinate {along + 1}")
    return _drawn(branches, _title(states, codes), states, critical, measure)


def mark_present(temperature: float) -> go.Figure:
    """The present temperature as a line on top of what `draw_bifurcation` or `draw_centre_counts` draws."""
    label = {"text": f"τ = {temperature:.3g}", "font": {"size": NAME_SIZE, "color": INK}}
    above = {"textposition": "end", "textangle": 0, "xanchor": "left", "yanchor": "bottom"}
    line = _vertical(temperature, INK, "solid") | {"name": ON_TOP, "label": label | above}
    return live_figure([], {"shapes": [line]})


def draw_centre_counts(states: pd.DataFrame, critical: float) -> go.Figure:
    """How many centres can be told apart at each temperature, hot at left; arguments as in `draw_bifurcation`.

    A trace for `effective_centres`, and one for `distinct_centres`, which leaves out temperatures at which centres have
    not come to rest.

    Raises:
        InputError: a column is missing, or there are no rows.
    """
    ANNEALED_STATES.require_rows(states)
    resting = states.assign(distinct_centres=_of_resting(states))
    counts = [
        _count(states, "effective_centres", "effective centres", BLUE, "solid"),
        _count(resting, "distinct_centres", "distinct centres", GUIDE, "dot"),
    ]
    title = Title("Centres told apart", "dotted: apart at all")
    measure = axis("centres", **log_scale(_counts(states), most=4))
    return _drawn(counts, title, states, critical, measure)


def publish_bifurcation(
    centres: pd.DataFrame, states: pd.DataFrame, critical: float, temperature: float | None = None, along: int = 0
) -> Figure:
    """What `draw_bifurcation` and `draw_centre_counts` show, to print. Errors are the same."""
    coordinate = _coordinate(centres, states, along)
    codes = int(centres["code"].max()) + 1
    colours = code_colours(codes)
    with publication_style():
        figure = new_figure(5.0, 3.8, rows=2, palette=EVEN_COLOURS)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2.2, 1])
        for code, rows in centres.groupby("code"):
            above.plot(rows["temperature"], rows[coordinate], color=colours[code], linewidth=1.4)
        below.plot(states["temperature"], states["effective_centres"], color=BLUE, label="effective")
        below.plot(states["temperature"], _of_resting(states), color=GUIDE, linestyle=":", label="distinct")
        below.set(xscale="log", ylabel="centres", xlabel=TEMPERATURE)
        below.set_yscale("log", base=2)
        below.set_xlim(states["temperature"].max(), states["temperature"].min())
        below.yaxis.set_minor_formatter(NullFormatter())
        legend_above(below)
        seaborn.despine(figure)
        above.set_ylabel("first coordinate" if along == 0 else f"coordinate {along + 1}")
        for axes in (above, below):
            axes.axvline(critical, color=VERMILION, linestyle="--", linewidth=1)
            if temperature is not None:
                axes.axvline(temperature, color=INK, linewidth=1)
        above.annotate(
            r"$\tau_c$", (critical, 1), xycoords=("data", "axes fraction"), color=VERMILION, ha="center", va="bottom"
        )
        publish_title(figure, _title(states, codes))
    return figure


def _counts(states: pd.DataFrame) -> pd.Series:
    return pd.concat([states["effective_centres"], states["distinct_centres"]])


def _drawn(
    traces: list[Trace],
    title: Title,
    states: pd.DataFrame,
    critical: float,
    measure: dict[str, Any],
) -> go.Figure:
    """Traces over the temperature, with τ_c."""
    return live_figure(
        traces,
        layout(
            title,
            height=HEIGHT,
            margin={"l": 56, "r": 12, "t": 58, "b": 42},
            showlegend=False,
            shapes=[_vertical(critical, VERMILION, "dash")],
            annotations=[_name_of_critical(critical)],
            xaxis=axis(TEMPERATURE, **log_scale(states["temperature"]) | {"range": _log_range(states)}),
            yaxis=measure,
        ),
    )


def _of_resting(states: pd.DataFrame) -> pd.Series:
    return states["distinct_centres"].where(states["converged"])


def _count(states: pd.DataFrame, column: str, name: str, colour: str, dash: str) -> Trace:
    return {
        "type": "scatter",
        "x": states["temperature"].to_numpy(),
        "y": states[column].to_numpy(),
        "mode": "lines",
        "line": {"color": colour, "width": 2, "dash": dash},
        "name": name,
        "hovertemplate": f"%{{y:.3~g}} {name} at τ = %{{x:.3~g}}<extra></extra>",
    }


def _vertical(temperature: float, colour: str, dash: str) -> dict[str, Any]:
    place = {"type": "line", "x0": temperature, "x1": temperature, "xref": "x", "y0": 0, "y1": 1, "yref": "y domain"}
    return place | {"line": {"color": colour, "width": 1.5, "dash": dash}}


def _name_of_critical(critical: float) -> dict[str, Any]:
    return {
        "text": f"τ<sub>c</sub> = {critical:.3g}",
        "x": float(np.log10(critical)),
        "xref": "x",
        "y": 1,
        "yref": "y domain",
        "xanchor": "right",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": NAME_SIZE, "color": VERMILION},
    }


def _title(states: pd.DataFrame, codes: int) -> Title:
    return Title("How centres part", f"{codes}, N = {int(states['tokens'].iloc[0]):,d}")


def _log_range(states: pd.DataFrame) -> list[float]:
    """Range of the temperature axis, hot at left."""
    return [float(np.log10(states["temperature"].max())), float(np.log10(states["temperature"].min()))]


def _coordinate(centres: pd.DataFrame, states: pd.DataFrame, along: int) -> str:
    annealed_centres(along + 1).require_rows(centres)
    ANNEALED_STATES.require_rows(states)
    return f"axis_{along}"


def _css(colour: Any) -> str:
    red, green, blue = np.round(255 * np.asarray(colour)).astype(int)
    return f"rgb({red},{green},{blue})"
