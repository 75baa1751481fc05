"""All figures of usage of several runs in one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from ..printing import panel_grid, publication_style, publish_title
from ..style import Title
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
        figure, (by_rank, lorenz, accumulation, definitions) = panel_grid(4, 2, 5, 3.6)
        publish_by_rank(by_rank, frames.ranks, methods)
        publish_lorenz(lorenz, frames.lorenz, frames.summary, methods)
        publish_accumulation(accumulation, frames.accumulation, methods)
        publish_definitions(definitions, frames.definitions, methods)
        publish_title(figure, Title("Code usage", detail))
    return figure
