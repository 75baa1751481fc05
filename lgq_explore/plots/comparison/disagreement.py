"""The difference of two tokenizers on each crop, by rank."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
import seaborn
from matplotlib.figure import Figure

from lgq_explore.frames.comparison import DISAGREEMENT
from lgq_explore.frames.quantities import QUANTITIES, counted

from ..live import live_figure
from ..printing import new_figure, publication_style, publish_title
from ..style import BLUE, GUIDE, Title, axis, layout, live_text
from .numbered import on_top, upright

PSNR = QUANTITIES["psnr_db"]
HEIGHT = 190
RANK = "rank of the crop"


def draw_disagreement(disagreement: pd.DataFrame, first: str, second: str, note: str = "") -> go.Figure:
    """PSNR of the first minus that of the second, a point per crop in the order of the rows. customdata: the rank.

    disagreement: of `analysis.comparison.disagreement`, in this or the turned order. first, second: names.
    note: what the title says besides.

    Raises:
        InputError: a column is missing, or there are no rows.
    """
    DISAGREEMENT.require_rows(disagreement)
    ranks = list(range(1, len(disagreement) + 1))
    return live_figure(
        [
            {
                "type": "scatter",
                "mode": "markers",
                "x": ranks,
                "y": disagreement["difference"].tolist(),
                "customdata": ranks,
                "text": [_text(row) for _, row in disagreement.iterrows()],
                "hovertemplate": "%{text}<br>rank %{x}<extra></extra>",
                "marker": {"size": 6, "color": BLUE},
            }
        ],
        layout(
            _title(disagreement, first, second, note),
            height=HEIGHT,
            margin={"l": 64, "r": 16, "t": 52, "b": 44},
            showlegend=False,
            hovermode="closest",
            xaxis=axis(RANK, range=[0, len(ranks) + 1]),
            yaxis=axis("difference, dB", zeroline=True, zerolinecolor=GUIDE),
        ),
    )


def mark_disagreement(rank: int) -> go.Figure:
    """The crop that is shown, as a line on top of what `draw_disagreement` draws."""
    return on_top(upright(rank))


def publish_disagreement(disagreement: pd.DataFrame, first: str, second: str, rank: int | None = None) -> Figure:
    """What `comparison.draw_disagreement` shows, to print, with or without a line at a rank. Errors are the same."""
    DISAGREEMENT.require_rows(disagreement)
    with publication_style():
        figure = new_figure(7, 2.4)
        axes = figure.subplots()
        axes.plot(range(1, len(disagreement) + 1), disagreement["difference"], "o", markersize=3, color=BLUE)
        axes.axhline(0, color=GUIDE, linewidth=1)
        if rank is not None:
            axes.axvline(rank, color=GUIDE, linewidth=1)
        axes.set(xlabel=RANK, ylabel="difference, dB")
        seaborn.despine(ax=axes)
        publish_title(figure, _title(disagreement, first, second))
    return figure


def _title(disagreement: pd.DataFrame, first: str, second: str, note: str = "") -> Title:
    crops = counted(len(disagreement), "crop")
    photographs = counted(int(disagreement["photograph"].nunique()), "photograph")
    said = f"PSNR of {first} minus {second}, N = {crops} of {photographs}"
    return Title("Where they disagree", f"{said}; {note}" if note else said)


def _text(row: pd.Series) -> str:
    said = f"{row['photograph']}, crop {row['crop']}: {PSNR.value(row['difference'], signed=True)} dB"
    return live_text(said)
