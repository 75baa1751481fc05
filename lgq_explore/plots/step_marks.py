"""Vertical marks at steps of training, such as the start of the GAN, on figures over these steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from lgq_explore.frames.health import GAN_STARTS, STEP_MARKS

from .style import GUIDE, PAPER

NO_MARKS = STEP_MARKS.frame([])

NAME_SIZE, NAME_OPACITY = 10, 0.8
"""Screen pixels of a mark's name, and how much it covers of the curves below it."""
WIDE_NAME, WIDE_LETTERS = 0.6, 0.05
"""Shares of the steps beyond which a name has no room at the right of its line, and below which none at the left."""


@dataclass(frozen=True)
class _Mark:
    """A name at a step. across: where that is, as a share of the steps that are drawn."""

    step: float
    name: str
    across: float


@dataclass(frozen=True)
class LiveMarks:
    """Parts of a layout. lines: its shapes. names: further annotations."""

    lines: list[dict[str, Any]]
    names: list[dict[str, Any]]


def live_marks(marks: pd.DataFrame, steps: pd.Series, axes: Sequence[str], named: int | None = None) -> LiveMarks:
    """Vertical lines and their names on axes that have these numbers, as plotly leaves out the first.

    marks: of `analysis.health.step_marks`; those after the last of the drawn `steps` are left out. named: on how many
    axes, from the first, the names stand; None for all.

    Raises:
        InputError: a column is missing.
    """
    STEP_MARKS.require(marks)
    reached = list(_reached(marks, steps))
    return LiveMarks(
        [_line(mark, number) for number in axes for mark in reached],
        [_name(mark, number) for number in axes[:named] for mark in reached],
    )


def publish_marks(axes: Axes, marks: pd.DataFrame, steps: pd.Series) -> None:
    """What `live_marks` shows, on printed axes that are otherwise done. Arguments and errors are the same."""
    STEP_MARKS.require(marks)
    for mark in _reached(marks, steps):
        starts = mark.name == GAN_STARTS
        is_left = mark.across > WIDE_LETTERS if starts else mark.across > 1 - WIDE_LETTERS
        axes.axvline(mark.step, color=GUIDE, linestyle=":", linewidth=1)
        axes.annotate(
            mark.name,
            (mark.step, 0.98),
            xycoords=("data", "axes fraction"),
            xytext=(-2 if is_left else 2, 0),
            textcoords="offset points",
            rotation=90,
            ha="right" if is_left else "left",
            va="top",
            color=GUIDE,
            fontsize="x-small",
        )


def _reached(marks: pd.DataFrame, steps: pd.Series) -> Iterator[_Mark]:
    last = steps.max() if len(steps) else -1
    for row in marks[marks["step"] <= last].itertuples():
        yield _Mark(row.step, row.mark, row.step / max(1, last))


def _line(mark: _Mark, number: str) -> dict[str, Any]:
    return {
        "type": "line",
        "x0": mark.step,
        "x1": mark.step,
        "y0": 0,
        "y1": 1,
        "xref": "x" + number,
        "yref": "y" + number + " domain",
        "layer": "below",
        "line": {"color": GUIDE, "width": 1.5, "dash": "dot"},
    }


def _name(mark: _Mark, number: str) -> dict[str, Any]:
    """Before the curves; the start stands at the top of its line, the end of the ramp at the foot, which gives room."""
    is_at_top = mark.name == GAN_STARTS
    return {
        "text": mark.name,
        "x": mark.step,
        "y": 1 if is_at_top else 0,
        "xref": "x" + number,
        "yref": "y" + number + " domain",
        "xanchor": "right" if mark.across > WIDE_NAME else "left",
        "yanchor": "top" if is_at_top else "bottom",
        "showarrow": False,
        "font": {"size": NAME_SIZE, "color": GUIDE},
        "bgcolor": PAPER,
        "opacity": NAME_OPACITY,
        "borderpad": 0,
    }
