"""Groups and runs as numbers that charts share, so that one that is picked in a chart is found in the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from ..live import Trace, live_figure
from ..run_looks import translucent
from ..style import BLACK, ON_TOP, method_colour

RING = 17
"""Screen pixels across a ring around what is picked."""

SEED_STRENGTH = 0.45
"""Strength of the colour that fills the points of single runs."""

RUNS_AND_GROUPS = "runs and groups"
"""What figures are called together whose points have these numbers (`style.layout`)."""


@dataclass(frozen=True)
class Numbered:
    """Numbers of groups and of runs, by their names; a group may be named like a run, and has another number."""

    groups: Mapping[str, int]
    runs: Mapping[str, int]

    @classmethod
    def of(cls, groups: Sequence[str], runs: Sequence[str]) -> Numbered:
        """Runs from 0 on, then groups."""
        return cls(
            {name: len(runs) + place for place, name in enumerate(groups)},
            {name: place for place, name in enumerate(runs)},
        )


def run_markers(runs: pd.DataFrame) -> dict[str, Any]:
    """Small points of single runs in the colours of their methods; a rounding replicate is an open one.

    Their edges are as strong as the colours are, to be seen on dark paper, too.
    """
    colours = [method_colour(method) for method in runs["method"]]
    is_open = [bool(replicate) for replicate in runs["replicate"]]
    return {
        "size": 7,
        "symbol": ["circle-open" if each else "circle" for each in is_open],
        "color": [
            colour if each else translucent(colour, SEED_STRENGTH)
            for colour, each in zip(colours, is_open, strict=True)
        ],
        "line": {"width": 1.5, "color": colours},
    }


def rings(figure: go.Figure, picked: int | None, *shapes: dict[str, Any]) -> go.Figure:
    """What lies on top of a figure: a ring around each point of the number that is picked, and these shapes."""
    places = [] if picked is None else list(_places(figure, picked))
    traces: list[Trace] = []
    if places:
        marker = {"symbol": "circle-open", "size": RING, "color": BLACK, "line": {"width": 2}}
        x, y = ([place[axis] for place in places] for axis in (0, 1))
        traces = [{"type": "scatter", "mode": "markers", "meta": ON_TOP, "x": x, "y": y, "marker": marker}]
    return on_top(*shapes, traces=traces)


def on_top(*shapes: dict[str, Any], traces: Sequence[Trace] = ()) -> go.Figure:
    """These shapes and traces, for charts to draw on top of a figure."""
    return live_figure(traces, {"shapes": [shape | {"name": ON_TOP} for shape in shapes]})


def upright(x: float, colour: str = BLACK) -> dict[str, Any]:
    """A line from the bottom to the top of a chart."""
    line = {"color": colour, "width": 1.5}
    return {"type": "line", "x0": x, "x1": x, "y0": 0, "y1": 1, "yref": "y domain", "line": line}


def _places(figure: go.Figure, picked: int) -> list[tuple[float, float]]:
    """Where points of this number lie."""
    return [
        (x, y)
        for trace in figure.data
        if trace.customdata is not None
        for x, y, number in zip(trace.x, trace.y, trace.customdata, strict=True)
        if number == picked
    ]
