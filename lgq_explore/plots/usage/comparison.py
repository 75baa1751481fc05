"""Figures of usage of several runs beside each other, or of one of them beside the map of codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lgq_explore.errors import InputError

from ..paper import heading_above
from ..printing import panel_grid, publication_style, publish_title
from ..style import Title, printed_text
from .accumulation import publish_accumulation
from .counts import publish_cells
from .definitions import publish_definitions
from .inequality import publish_by_rank, publish_lorenz

CURVES = ("ranks", "lorenz", "accumulation", "definitions")
"""The fields of `UsageFrames` that are drawn."""


@dataclass(frozen=True, eq=False)
class UsageFrames:
    """Frames of several runs, each with a column `run`; `analysis.usage` has their functions."""

    summary: pd.DataFrame
    ranks: pd.DataFrame
    lorenz: pd.DataFrame
    accumulation: pd.DataFrame
    definitions: pd.DataFrame


def publish_comparison(frames: UsageFrames, methods: Mapping[str, str], detail: str) -> Figure:
    """Usage by rank, Lorenz curves, accumulation and definitions, two by two. detail: of what, with N, for the title.

    Raises:
        InputError: a column is missing, or a run's method is not said.
    """
    with publication_style():
        figure, places = panel_grid(4, 2, 5, 3.6)
        for axes, curve in zip(places, CURVES, strict=True):
            _publish_curve(axes, curve, frames, methods)
        publish_title(figure, Title("Code usage", detail))
    return figure


def publish_beside_map(
    frames: UsageFrames,
    methods: Mapping[str, str],
    curve: str,
    grid: pd.DataFrame,
    run: str,
    selected: Sequence[int] = (),
    detail: str = "",
) -> Figure:
    """One of CURVES of several runs, and beside it the map of the codes of one. detail: as in `publish_comparison`.

    grid: that of `analysis.usage.grid`, of this run. selected: codes to mark.

    Raises:
        InputError: an unknown curve, a column is missing, or a run's method is not said.
    """
    if curve not in CURVES:
        raise InputError(f"curve is {curve!r}: choose one of {', '.join(CURVES)}")
    with publication_style():
        figure, (codes, beside) = panel_grid(2, 2, 5, 3.8)
        title = publish_cells(codes, grid, selected, run)
        heading_above(codes, printed_text(title.subject))
        _publish_curve(beside, curve, frames, methods)
        publish_title(figure, Title("Code usage", detail))
    return figure


def _publish_curve(axes: Axes, curve: str, frames: UsageFrames, methods: Mapping[str, str]) -> None:
    match curve:
        case "ranks":
            publish_by_rank(axes, frames.ranks, methods)
        case "lorenz":
            publish_lorenz(axes, frames.lorenz, frames.summary, methods)
        case "accumulation":
            publish_accumulation(axes, frames.accumulation, methods)
        case _:
            publish_definitions(axes, frames.definitions, methods)
