"""The nearest codes of each code."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go
import seaborn
from matplotlib.figure import Figure
from plotly.colors import get_colorscale

from lgq_explore.frames.geometry import CODE_NEIGHBOURS

from ..live import live_figure
from ..pictures.patches import NO_CODES
from ..printing import new_figure, publication_style, publish_sentence, publish_title
from ..style import LOW_CHART_HEIGHT, Title, axis, layout, sentence_when_empty

TITLE = "Nearest codes"
COLOURS = "viridis"


def draw_code_neighbours(neighbours: pd.DataFrame, *, detail: str = "") -> go.Figure:
    """One row per code, its neighbours from the nearest on, coloured by distance. One trace; a click picks a code.

    neighbours: that of `analysis.geometry.code_neighbours`.

    Raises:
        InputError: a column is missing.
    """
    tables = _tables(neighbours)
    codes, distances = tables.neighbours, tables.distances
    empty = neighbours.empty
    return live_figure(
        [
            {
                "type": "heatmap",
                "z": distances.to_numpy(),
                "x": codes.columns.to_numpy(),
                "y": codes.index.astype(str).to_numpy(),
                "customdata": codes.to_numpy(),
                "text": codes.to_numpy(),
                "texttemplate": "%{text}",
                "textfont": {"size": 11},
                "colorscale": get_colorscale(COLOURS),
                "colorbar": {"title": {"text": "distance", "font": {"size": 12}}, "thickness": 12, "outlinewidth": 0},
                "showscale": not empty,
                "xgap": 2,
                "ygap": 2,
                "hovertemplate": "code %{text}<br>%{z:.3g} from code %{y}<extra></extra>",
            }
        ],
        layout(
            Title(TITLE, detail),
            height=LOW_CHART_HEIGHT,
            margin={"l": 64, "r": 8, "t": 56, "b": 48},
            xaxis=axis("rank, nearest first", dtick=1, showgrid=False, showline=False, visible=not empty),
            yaxis=axis(
                "code", type="category", autorange="reversed", showgrid=False, showline=False, visible=not empty
            ),
            annotations=[sentence_when_empty(NO_CODES, empty=empty)],
        ),
    )


def publish_code_neighbours(neighbours: pd.DataFrame, *, detail: str = "") -> Figure:
    """What `draw_code_neighbours` shows, to print. Arguments and errors are the same."""
    tables = _tables(neighbours)
    with publication_style():
        figure = new_figure(4.2, 2.6)
        if neighbours.empty:
            return publish_sentence(figure, NO_CODES)
        axes = figure.subplots()
        seaborn.heatmap(
            tables.distances,
            ax=axes,
            annot=tables.neighbours,
            fmt="d",
            annot_kws={"fontsize": "x-small"},
            cmap=COLOURS,
            linewidths=1,
            cbar_kws={"label": "distance"},
        )
        axes.set(xlabel="rank, nearest first", ylabel="code")
        axes.tick_params(length=0, labelrotation=0)
        publish_title(figure, Title(TITLE, detail))
    return figure


@dataclass(frozen=True, eq=False)
class _Tables:
    """Neighbours and their distances, one row per code and one column per rank."""

    neighbours: pd.DataFrame
    distances: pd.DataFrame


def _tables(neighbours: pd.DataFrame) -> _Tables:
    CODE_NEIGHBOURS.require(neighbours)
    return _Tables(
        neighbours=neighbours.pivot(index="code", columns="rank", values="neighbour"),
        distances=neighbours.pivot(index="code", columns="rank", values="distance"),
    )
