"""Gradient estimators compared with the gradient under noise."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from lgq_explore.frames.temperature import ESTIMATORS, LGQ, ROTATION, SPLIT, STRAIGHT_THROUGH

from ..paper import legend_above
from ..printing import panel_grid, publication_style, publish_title
from ..style import BLACK, BLUE, GUIDE, ORANGE, SKY_BLUE, Title

TEMPERATURE = "temperature τ"


@dataclass(frozen=True)
class _Look:
    colour: str
    style: str
    width: float


LOOKS = {
    STRAIGHT_THROUGH: _Look(BLACK, "-", 4),
    LGQ: _Look(BLUE, "-", 2.5),
    SPLIT: _Look(SKY_BLUE, "--", 2),  # lies on the straight-through one
    ROTATION: _Look(ORANGE, "-", 2),
}
MEASURES = {"cosine": "cosine with the true gradient", "variance_ratio": "variance over the true one's"}


def publish_estimators(comparison: pd.DataFrame) -> Figure:
    """Cosine and variance ratio of each estimator against the temperature, in two panels.

    comparison: of `analysis.temperature.compare_estimators`. A dotted line at 1 is the truth.

    Raises:
        InputError: a column is missing, or there are no rows.
    """
    ESTIMATORS.require_rows(comparison)
    with publication_style():
        figure, grid = panel_grid(2, 2, 4.5, 3.4)
        for axes, (measure, title) in zip(grid, MEASURES.items(), strict=True):
            for name, lines in comparison.groupby("estimator", sort=False):
                look = _look(str(name))
                axes.plot(
                    lines["temperature"],
                    lines[measure],
                    color=look.colour,
                    linestyle=look.style,
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
                legend_above(axes)
            else:
                axes.set_yscale("log")
        publish_title(figure, _title(comparison))
    return figure


def _look(name: object) -> _Look:
    return LOOKS.get(str(name), _Look(GUIDE, "-", 2))


def _title(comparison: pd.DataFrame) -> Title:
    first = comparison.iloc[0]
    return Title(
        "What the encoder is told",
        f"against the gradient under noise of σ = {first['sigma']:.2g}, {int(first['pairs'])} antithetic pairs",
    )
