"""The codes nearest to a patch, with its posterior over them."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
import seaborn
from matplotlib.figure import Figure

from lgq_explore.frames.pictures import CANDIDATES

from ..live import live_figure
from ..paper import fitting_letters
from ..printing import new_figure, publication_style, publish_title
from ..style import GUIDE, LOW_CHART_HEIGHT, Title, axis, layout, method_colour

NUMBER_LETTERS = 5


def draw_posterior(
    candidates: pd.DataFrame, *, method: str = "lgq", metric: str = "distance", detail: str = ""
) -> go.Figure:
    """One bar per candidate, the nearest first: its responsibility, or its distance where the method has none.

    candidates: those of `analysis.pictures.posterior`. metric: the name of their distances. One trace; the code that
    was chosen is in the method's colour. A click picks a code.

    Raises:
        InputError: a column is missing, or there are no rows.
    """
    CANDIDATES.require_rows(candidates)
    value = _value(candidates)
    return live_figure(
        [
            {
                "type": "bar",
                "x": candidates["code"].astype(str).tolist(),
                "y": candidates[value].tolist(),
                "customdata": candidates["code"].tolist(),
                "text": [f"{number:.2g}" for number in candidates[value]],
                "textposition": "outside",
                "cliponaxis": False,
                "marker": {"color": _colours(candidates, method), "line": {"width": 0}},
                "hovertemplate": "code %{x}<br>%{y:.3g}<extra></extra>",
            }
        ],
        layout(
            Title(_title(value), detail),
            height=LOW_CHART_HEIGHT,
            margin={"l": 64, "r": 8, "t": 64, "b": 48},
            xaxis=axis("code, nearest first", type="category", showgrid=False),
            yaxis=axis(_axis_title(value, metric), rangemode="tozero"),
        ),
    )


def publish_posterior(
    candidates: pd.DataFrame, *, method: str = "lgq", metric: str = "distance", detail: str = ""
) -> Figure:
    """What `pictures.draw_posterior` shows, to print. Arguments and errors are the same."""
    CANDIDATES.require_rows(candidates)
    value = _value(candidates)
    with publication_style():
        figure = new_figure(6, 2.6)
        axes = figure.subplots()
        bars = axes.bar(
            candidates["code"].astype(str), candidates[value], color=_colours(candidates, method), linewidth=0
        )
        crowded = fitting_letters(0.8 * figure.get_figwidth() / len(candidates)) < NUMBER_LETTERS
        axes.bar_label(bars, fmt="{:.2g}", fontsize="x-small", padding=2, rotation=90 if crowded else 0)
        axes.set(xlabel="code, nearest first", ylabel=_axis_title(value, metric))
        axes.margins(y=0.3 if crowded else 0.12)
        axes.grid(axis="x", visible=False)
        seaborn.despine(figure)
        publish_title(figure, Title(_title(value), detail))
    return figure


def _value(candidates: pd.DataFrame) -> str:
    return "distance" if candidates["responsibility"].isna().all() else "responsibility"


def _title(value: str) -> str:
    return "Posterior over codes" if value == "responsibility" else "Distance to the nearest codes"


def _axis_title(value: str, metric: str) -> str:
    return "responsibility" if value == "responsibility" else metric


def _colours(candidates: pd.DataFrame, method: str) -> list[str]:
    return [method_colour(method), *([GUIDE] * (len(candidates) - 1))]
