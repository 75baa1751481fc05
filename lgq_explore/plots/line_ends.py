"""Seeds drawn as bands, and names at the ends of lines, so that a dozen runs can be told apart without a legend."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .live import Trace
from .run_looks import RunRows, translucent
from .style import live_text

SEED = re.compile(r"[\s,_/-]*seed[\s_=-]*\d+", re.IGNORECASE)
BAND_OPACITY = 0.18
THIN, THICK = 1.0, 2.0
"""Widths of a line among others of its seeds, and of one that stands alone."""

MOST_LETTERS = 24
LABEL_SIZE, LETTER, LABEL_HEIGHT = 11, 6.3, 14
"""Screen pixels of a label: its font, a letter's width, and what two labels keep apart."""


@dataclass(frozen=True, eq=False)
class SeedGroup:
    """Runs of one method that differ in their seed only, as their names say; or one run alone."""

    name: str
    parts: list[RunRows]

    @property
    def colour(self) -> str:
        return self.parts[0].look.colour

    @property
    def width(self) -> float:
        return THICK if len(self.parts) == 1 else THIN

    @property
    def label(self) -> str:
        count = len(self.parts)
        return f"{self.name} ×{count}" if count > 1 else self.name


def seed_groups(parts: Iterable[RunRows]) -> list[SeedGroup]:
    """The runs by method and name without its seed, in their order."""
    groups: dict[tuple[str, str], list[RunRows]] = {}
    for part in parts:
        groups.setdefault((part.look.colour, SEED.sub("", part.run) or part.run), []).append(part)
    return [SeedGroup(name if len(runs) > 1 else runs[0].run, runs) for (_, name), runs in groups.items()]


def band(lines: Sequence[tuple[ArrayLike, ArrayLike]], colour: str) -> list[Trace]:
    """The area between the lowest and the highest of several lines, each x and y, where all of them are; two traces."""
    if len(lines) < 2:
        return []
    pairs = [(np.asarray(x), np.asarray(y, dtype=np.float64)) for x, y in lines]
    first = pairs[0][0]
    if all(np.array_equal(x, first) for x, _ in pairs):
        places, stacked = first, np.stack([y for _, y in pairs])
    else:
        places = np.unique(np.concatenate([x for x, _ in pairs]))
        stacked = np.stack([np.interp(places, x, y, left=np.nan, right=np.nan) for x, y in pairs])
    whole = np.isfinite(stacked).all(axis=0)
    edge: dict[str, Any] = {"x": places[whole], "mode": "lines", "line": {"width": 0}, "showlegend": False}
    edge |= {"hoverinfo": "skip"}
    low, high = stacked[:, whole].min(axis=0), stacked[:, whole].max(axis=0)
    return [
        {"type": "scatter", "y": low, **edge},
        {"type": "scatter", "y": high, "fill": "tonexty", "fillcolor": translucent(colour, BAND_OPACITY), **edge},
    ]


@dataclass(frozen=True)
class EndLabel:
    """A name in its line's colour. at: where the line ends, as a share of the plot's height."""

    text: str
    colour: str
    at: float


def named_at_ends(labels: Sequence[EndLabel], height: int, notes: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """Settings of a layout of this height whose lines are named at their ends instead of in a legend, besides notes."""
    margin = {"l": 64, "r": label_margin(labels), "t": 52, "b": 56}
    plot_height = height - margin["t"] - margin["b"]
    return {
        "height": height,
        "margin": margin,
        "showlegend": False,
        "annotations": [*end_labels(labels, plot_height), *notes],
    }


def end_labels(labels: Sequence[EndLabel], plot_height: float) -> list[dict[str, Any]]:
    """Annotations to the right of the plot, each as near the end of its line as the others let it be."""
    if not labels:
        return []
    ordered = sorted(labels, key=lambda label: label.at)
    gap = LABEL_HEIGHT / plot_height
    heights = _apart(np.clip([label.at for label in ordered], 0.0, 1.0), gap)
    return [
        {
            "text": live_text(_short(label.text)),
            "x": 1,
            "xref": "paper",
            "xanchor": "left",
            "xshift": 6,
            "y": float(height),
            "yref": "paper",
            "yanchor": "middle",
            "showarrow": False,
            "font": {"size": LABEL_SIZE, "color": label.colour},
        }
        for label, height in zip(ordered, heights, strict=True)
    ]


def label_margin(labels: Iterable[EndLabel]) -> float:
    """Screen pixels that the labels take to the right of the plot."""
    return 12 + LETTER * max((len(_short(label.text)) for label in labels), default=0)


def _apart(heights: np.ndarray, gap: float) -> np.ndarray:
    """Ascending heights moved as little as keeps them a gap apart, and within the plot where there is room."""
    placed = heights.astype(np.float64)
    for below, above in pairwise(range(len(placed))):
        placed[above] = max(placed[above], placed[below] + gap)
    placed[-1] = min(placed[-1], 1.0)
    for above, below in pairwise(reversed(range(len(placed)))):
        placed[below] = min(placed[below], placed[above] - gap)
    return placed


def _short(name: str) -> str:
    """A long name without its middle: names of runs begin with the method and end with the seed."""
    if len(name) <= MOST_LETTERS:
        return name
    half = MOST_LETTERS // 2
    return f"{name[: half - 1]}…{name[-half:]}"
