"""Share of each code in the tokens and in the loss."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go
import seaborn
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from lgq_explore.frames.pictures import DISTORTION

from ..live import live_figure
from ..paper import legend_above
from ..printing import new_figure, publication_style, publish_sentence, publish_title
from ..style import GUIDE, LOW_CHART_HEIGHT, Title, axis, layout, method_colour, sentence_when_empty
from .patches import NO_CODES


@dataclass(frozen=True)
class _Share:
    column: str
    name: str
    strength: float = 1.0


SHARES = (
    _Share("token_share", "tokens"),
    _Share("quantization_error_share", "quantization error"),
    _Share("pixel_error_share", "pixel error", strength=0.45),
)


def draw_distortion(distortion: pd.DataFrame, *, method: str = "lgq", detail: str = "") -> go.Figure:
    """For each code its shares of all tokens, of the quantization error and of the pixel error, in percent.

    distortion: rows of `analysis.pictures.distortion`, one row per code to be shown. Three traces of one bar per code.

    Raises:
        InputError: a column is missing.
    """
    DISTORTION.require(distortion)
    empty = distortion.empty
    names = distortion["code"].astype(str).tolist()
    return live_figure(
        [
            {
                "type": "bar",
                "x": names,
                "y": (100 * distortion[share.column]).tolist(),
                "customdata": distortion["code"].tolist(),
                "name": share.name,
                "marker": {"color": _colour(share, method), "line": {"width": 0}},
                "hovertemplate": "code %{x}<br>%{y:.2f} % of the " + share.name + "<extra></extra>",
                "showlegend": not empty,
            }
            for share in SHARES
        ],
        layout(
            Title("Share of the total", detail),
            height=LOW_CHART_HEIGHT,
            barmode="group",
            legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 11}},
            margin={"l": 56, "r": 8, "t": 76, "b": 48},
            xaxis=axis("code", type="category", visible=not empty, showgrid=False),
            yaxis=axis("% of all", rangemode="tozero", visible=not empty),
            annotations=[sentence_when_empty(NO_CODES, empty=empty)],
        ),
    )


def publish_distortion(distortion: pd.DataFrame, *, method: str = "lgq", detail: str = "") -> Figure:
    """What `pictures.draw_distortion` shows, to print. Arguments and errors are the same."""
    DISTORTION.require(distortion)
    with publication_style():
        figure = new_figure(4.2, 2.6)
        if distortion.empty:
            return publish_sentence(figure, NO_CODES)
        axes = figure.subplots()
        width = 0.8 / len(SHARES)
        for number, share in enumerate(SHARES):
            axes.bar(
                [place + (number - 1) * width for place in range(len(distortion))],
                100 * distortion[share.column],
                width,
                color=_colour(share, method),
                linewidth=0,
                label=share.name,
            )
        axes.set_xticks(range(len(distortion)), distortion["code"].astype(str))
        axes.set(xlabel="code", ylabel="% of all")
        legend_above(axes)
        seaborn.despine(figure)
        axes.grid(axis="x", visible=False)
        publish_title(figure, Title("Share of the total", detail))
    return figure


def _colour(share: _Share, method: str) -> str:
    """The method's colour, made paler by the share's strength; grey for the tokens."""
    strong = GUIDE if share.column == "token_share" else method_colour(method)
    red, green, blue = (share.strength * part + 1 - share.strength for part in to_rgb(strong))
    return to_hex((red, green, blue))
