"""Content of a map: codes and their colours, tokens, and the sentences below."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lgq_explore.errors import InputError
from lgq_explore.frames.geometry import (
    ANISOTROPY,
    COUNT,
    DRIFT,
    LAST_MOVE,
    LOG_DENSITY,
    PLACED_CODES,
    PLACES,
    SPLIT_TEMPERATURE,
)

from ..paper import tick_label
from ..style import log_ticks, round_ticks

MOST_TICKS = 8
"""Most ticks of a colour bar."""
MARGIN = 0.04
"""Empty border of a map, as a share of its extent."""


@dataclass(frozen=True)
class CodeColour:
    """A column that codes are coloured by, its title with the unit, and words for codes without a value."""

    column: str
    title: str
    without: str
    log: bool = False


CODE_COLOURS = {
    "usage": CodeColour(COUNT, "tokens per code", "unused", log=True),
    "drift": CodeColour(DRIFT, "distance moved since the first snapshot", "without snapshots"),
    "last_move": CodeColour(LAST_MOVE, "distance moved since the snapshot before", "without a snapshot before"),
    "density": CodeColour(LOG_DENSITY, "log density of tokens", "without tokens near"),
    "anisotropy": CodeColour(ANISOTROPY, "anisotropy of the cell, 1 is round", "with too few tokens to tell"),
    "split_temperature": CodeColour(SPLIT_TEMPERATURE, "split temperature", "without a split temperature", log=True),
}
"""What codes can be coloured by, and how that is shown."""


@dataclass(frozen=True, eq=False)
class MapPane:
    """One map: a codebook among the tokens of its run.

    heading: whose codes, how many. codes: code, x, y and the columns of CODE_COLOURS; codes without a value, or with a
    usage of 0, are hollow. tokens: x, y. edges: pairs of codes to be joined by lines, `frames.geometry.EDGES`.
    axes: the titles. span: left, right, bottom and top of all that has to fit in. under: sentences below; warning: one
    more, in a warning colour. selectable: whether codes can be picked. tokens_in_all: N, of which `tokens` are drawn.
    """

    heading: str
    codes: pd.DataFrame
    tokens: pd.DataFrame
    edges: pd.DataFrame
    axes: tuple[str, str]
    span: tuple[float, float, float, float]
    under: tuple[str, ...] = ()
    warning: str = ""
    selectable: bool = True
    tokens_in_all: int | None = None


@dataclass(frozen=True)
class ColourScale:
    """Ends of the colour scale and its ticks, logarithms to base 10 where the colour is logarithmic."""

    low: float
    high: float
    ticks: list[float]
    labels: list[str]


@dataclass(frozen=True)
class Foot:
    lines: list[str]
    warning: list[str]


def check_panes(panes: Sequence[MapPane], colour: str, shared_axes: bool) -> None:
    if len(panes) not in (1, 2):
        raise InputError(f"{len(panes)} maps to draw: give one, or two to stand side by side")
    if colour not in CODE_COLOURS:
        raise InputError(f"colour is {colour!r}: choose one of {', '.join(CODE_COLOURS)}")
    for pane in panes:
        PLACED_CODES.require(pane.codes)
        PLACES.require(pane.tokens)
    if shared_axes and any(not pane.tokens[["x", "y"]].equals(panes[0].tokens[["x", "y"]]) for pane in panes):
        raise InputError(
            "the maps hold different tokens: two runs have axes of their own, which say nothing about each other"
        )


def colour_values(codes: pd.DataFrame, kind: CodeColour) -> NDArray[np.float64]:
    """The values that are coloured, [K]: NaN where a code has no value, or its logarithm is not finite."""
    if kind.column not in codes.columns:
        return np.full(len(codes), math.nan)
    values = codes[kind.column].to_numpy(dtype=np.float64, na_value=math.nan)
    if not kind.log:
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(values > 0, np.log10(values), math.nan)


def colour_scale(panes: Sequence[MapPane], kind: CodeColour) -> ColourScale:
    """One scale for all panes, so that a colour means the same number in each."""
    values = np.concatenate([colour_values(pane.codes, kind) for pane in panes])
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    if kind.column in (COUNT, DRIFT, LAST_MOVE):
        low = 0.0
    if high <= low:  # all the same: any scale will do
        high = low + 1
    if kind.log:
        numbers = log_ticks(10**low, 10**high, MOST_TICKS)
        return ColourScale(low, high, [math.log10(number) for number in numbers], [*map(tick_label, numbers)])
    ticks = round_ticks(low, high, MOST_TICKS)
    return ColourScale(low, high, ticks, [*map(tick_label, ticks)])


def marker_size(codes: int) -> float:
    return 7 if codes <= 2048 else 5 if codes <= 8192 else 3.5


def framed(span: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    left, right, bottom, top = span
    border = MARGIN * max(right - left, top - bottom, 1e-9)
    return left - border, right + border, bottom - border, top + border


def feet(panes: Sequence[MapPane], width: int) -> list[Foot]:
    return [
        Foot([line for said in pane.under for line in textwrap.wrap(said, width)], textwrap.wrap(pane.warning, width))
        for pane in panes
    ]
