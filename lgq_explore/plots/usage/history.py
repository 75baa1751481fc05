"""Counts of codes over the snapshots of a codebook."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
import seaborn
from matplotlib.figure import Figure

from lgq_explore.errors import InputError
from lgq_explore.frames.usage import CODE_HISTORY

from ..live import live_figure
from ..paper import legend_above
from ..pictures.patches import NO_CODES
from ..printing import new_figure, publication_style, publish_sentence, publish_title
from ..step_marks import NO_MARKS, live_marks, publish_marks
from ..style import LOW_CHART_HEIGHT, Title, axis, layout, method_colour, sentence_when_empty

TITLE = "Tokens over training"
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
PRINTED_DASHES = ("-", "--", ":", "-.", (0, (8, 3)), (0, (8, 3, 1, 3)))
"""Codes of one method share its colour; their lines differ."""


def draw_code_history(
    history: pd.DataFrame,
    marks: pd.DataFrame = NO_MARKS,
    *,
    method: str = "lgq",
    detail: str = "",
    sentence: str = NO_CODES,
) -> go.Figure:
    """One line per code: the tokens that each snapshot of the codebook gives to it, against the step.

    history: that of `analysis.usage.code_history`, of up to six codes; empty where there is none, and then the
    `sentence` says why. marks: that of `analysis.health.step_marks`, each a vertical line.

    Raises:
        InputError: a column is missing, or there are more codes than kinds of lines.
    """
    codes, drawn = _codes(history), live_marks(marks, history["step"], [""])
    return live_figure(
        [
            {
                "type": "scatter",
                "x": rows["step"].tolist(),
                "y": rows["count"].tolist(),
                "mode": "lines+markers",
                "line": {"color": method_colour(method), "width": 2, "dash": dash},
                "marker": {"size": 5},
                "name": str(code),
                "hovertemplate": f"code {code}, step %{{x:,d}}<br>%{{y:,d}} tokens<extra></extra>",
            }
            for (code, rows), dash in zip(codes, DASHES, strict=False)
        ],
        layout(
            Title(TITLE, detail),
            height=LOW_CHART_HEIGHT,
            margin={"l": 56, "r": 8, "t": 76, "b": 48},
            showlegend=bool(codes),
            legend={
                "title": {"text": "code"},
                "orientation": "h",
                "x": 0,
                "y": 1.02,
                "yanchor": "bottom",
                "font": {"size": 11},
            },
            xaxis=axis("step", visible=bool(codes)),
            yaxis=axis("tokens", rangemode="tozero", visible=bool(codes)),
            shapes=drawn.lines,
            annotations=[*drawn.names, sentence_when_empty(_wrapped(sentence), empty=not codes)],
        ),
    )


def publish_code_history(
    history: pd.DataFrame,
    marks: pd.DataFrame = NO_MARKS,
    *,
    method: str = "lgq",
    detail: str = "",
    sentence: str = NO_CODES,
) -> Figure:
    """What `draw_code_history` shows, to print. Arguments and errors are the same."""
    codes = _codes(history)
    with publication_style():
        figure = new_figure(4.2, 2.6)
        if not codes:
            return publish_sentence(figure, _wrapped(sentence, "\n"))
        axes = figure.subplots()
        for (code, rows), dash in zip(codes, PRINTED_DASHES, strict=False):
            axes.plot(
                rows["step"],
                rows["count"],
                color=method_colour(method),
                linestyle=dash,
                marker="o",
                markersize=3,
                label=f"code {code}",
            )
        axes.set(xlabel="step", ylabel="tokens")
        axes.set_ylim(bottom=0)
        legend_above(axes)
        publish_marks(axes, marks, history["step"])
        seaborn.despine(figure)
        publish_title(figure, Title(TITLE, detail))
    return figure


def _codes(history: pd.DataFrame) -> list[tuple[int, pd.DataFrame]]:
    CODE_HISTORY.require(history)
    codes = list(history.groupby("code", sort=False))
    if len(codes) > len(DASHES):
        raise InputError(f"{len(codes)} codes are too many lines to tell apart: give at most {len(DASHES)}")
    return codes


def _wrapped(sentence: str, line_break: str = "<br>") -> str:
    """The sentence in two lines, broken at its comma or colon: half a panel is narrow."""
    for mark in (": ", ", "):
        head, found, rest = sentence.partition(mark)
        if found:
            return f"{head}{mark.strip()}{line_break}{rest}"
    return sentence
