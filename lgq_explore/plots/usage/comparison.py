"""All figures of usage of several runs in one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..style import Title, new_figure, publication_style, publish_title
from .accumulation import publish_accumulation
from .definitions import publish_definitions
from .inequality import publish_by_rank, publish_lorenz


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
        figure = new_figure(10, 7.2)
        by_rank, lorenz, accumulation, definitions = figure.subplots(2, 2).flat
        publish_by_rank(by_rank, frames.ranks, methods)
        publish_lorenz(lorenz, frames.lorenz, frames.summary, methods)
        publish_accumulation(accumulation, frames.accumulation, methods)
        publish_definitions(definitions, frames.definitions, methods)
        _head(by_rank, "Usage by rank")
        _head(lorenz, "Lorenz curve (in brackets: the Gini of uniform sampling)")
        _head(accumulation, "Accumulation (dotted: Chao2 lower bound)")
        _head(definitions, "Definitions of usage (in a point, the run's rank)")
        publish_title(figure, Title("Code usage", detail))
    return figure


def _head(axes: Axes, heading: str) -> None:
    axes.set_title(heading, loc="left", fontsize="medium")
