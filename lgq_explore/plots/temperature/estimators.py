"""How true is what each estimator tells the encoder, and how loud?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from matplotlib.figure import Figure

from lgq_explore.errors import InputError

from ..style import (
    BLACK,
    BLUE,
    GUIDE,
    ORANGE,
    SKY_BLUE,
    Title,
    axis,
    layout,
    new_figure,
    publication_style,
    publish_title,
)

COLUMNS = {"temperature", "estimator", "cosine", "variance_ratio", "sigma", "pairs", "agreement"}
TEMPERATURE = "temperature τ"


@dataclass(frozen=True)
class _Look:
    colour: str
    dash: str
    width: float


LOOKS = {
    "straight-through": _Look(BLACK, "solid", 4),
    "lgq": _Look(BLUE, "solid", 2.5),
    "split": _Look(SKY_BLUE, "dash", 2),  # lies on the straight-through one
    "rotation": _Look(ORANGE, "solid", 2),
}
DASHES = {"solid": "-", "dash": "--"}
MEASURES = {"cosine": "cosine with the true gradient", "variance_ratio": "variance over the true one's"}


def draw_estimators(comparison: pd.DataFrame) -> go.Figure:
    """Cosine and variance ratio of each estimator against the temperature, two panels; a trace an estimator and panel.

    comparison: of `analysis.temperature.compare_estimators`. A dashed line at 1 is the truth.

    Raises:
        InputError: a frame without the columns that are drawn.
    """
    _require(comparison)
    traces = [
        go.Scatter(
            x=lines["temperature"].to_numpy(),
            y=lines[measure].to_numpy(),
            name=name,
            legendgroup=name,
            showlegend=not number,
            mode="lines+markers",
            line={"color": _look(name).colour, "dash": _look(name).dash, "width": _look(name).width},
            hovertemplate="%{y:.3~g}",
            xaxis="x2" if number else "x",
            yaxis="y2" if number else "y",
        )
        for number, measure in enumerate(MEASURES)
        for name, lines in comparison.groupby("estimator", sort=False)
    ]
    scale: dict[str, Any] = {"type": "log", "dtick": 1, "tickformat": "~g"}
    return go.Figure(
        traces,
        layout(
            _title(comparison),
            height=340,
            hovermode="x unified",
            legend={"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom"},
            xaxis=axis(TEMPERATURE, domain=[0, 0.44], type="log", dtick=1, tickformat="~g"),
            yaxis=axis(MEASURES["cosine"], rangemode="tozero"),
            xaxis2=axis(TEMPERATURE, domain=[0.56, 1], anchor="y2", type="log", dtick=1, tickformat="~g"),
            yaxis2=axis(MEASURES["variance_ratio"], anchor="x2", **scale),
            shapes=[
                {"type": "line", "x0": 0, "x1": 1, "y0": 1, "y1": 1, "xref": f"x{name} domain", "yref": f"y{name}",
                 "line": {"color": GUIDE, "dash": "dash", "width": 1}}
                for name in ("", "2")
            ],
        ),
    )  # fmt: skip


def publish_estimators(comparison: pd.DataFrame) -> Figure:
    """What `draw_estimators` shows, to print. Arguments and errors are the same."""
    _require(comparison)
    with publication_style():
        figure = new_figure(9, 3.4)
        for axes, (measure, title) in zip(figure.subplots(1, 2), MEASURES.items(), strict=True):
            for name, lines in comparison.groupby("estimator", sort=False):
                look = _look(str(name))
                axes.plot(
                    lines["temperature"],
                    lines[measure],
                    color=look.colour,
                    linestyle=DASHES[look.dash],
                    linewidth=look.width,
                    marker="o",
                    markersize=3,
                    label=name,
                )
            axes.axhline(1, color=GUIDE, linestyle=":", linewidth=1)
            axes.set(xscale="log", xlabel=TEMPERATURE, ylabel=title)
            axes.spines[["top", "right"]].set_visible(False)
            if measure == "cosine":
                axes.set_ylim(bottom=0)
                axes.legend(frameon=False, fontsize="small")
            else:
                axes.set_yscale("log")
        publish_title(figure, _title(comparison))
    return figure


def _require(comparison: pd.DataFrame) -> None:
    if comparison.empty or not set(comparison.columns) >= COLUMNS:
        raise InputError(
            f"a frame of {len(comparison)} rows with the columns {list(comparison.columns)}: "
            "give one of compare_estimators"
        )


def _look(name: object) -> _Look:
    return LOOKS.get(str(name), _Look(GUIDE, "solid", 2))


def _title(comparison: pd.DataFrame) -> Title:
    first = comparison.iloc[0]
    return Title(
        "What the encoder is told",
        f"against the gradient under noise of σ = {first['sigma']:.2g}, {int(first['pairs'])} antithetic pairs",
    )
