"""Some codes of a run, for a page: what they look like in pictures, their neighbours, and their usage over training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lgq_explore import analysis
from lgq_explore.errors import InputError
from lgq_explore.runs.study import Study

from .pictures import picture_uri, strip

CODES, PATCHES, NEIGHBOURS = 6, 8, 5
"""Codes of a run, from the most to the least used one; patches of a code; and nearest codes of it."""

CHART = (160, 40)
"""Width and height of the chart of usage over training."""


@dataclass(frozen=True)
class CodeCard:
    """A code. rank: by use, from 1. patches: a strip as a data URI, the nearest token first; shown: their number.

    beyond_edge: a part of them lies beyond the edge of a crop, and is white.
    alone: a picture of this code only, as a data URI. distances: of the shown tokens from the code, nearest and
    farthest; empty without a geometry. neighbours: codes and distances, in words. counts: tokens at each snapshot, by
    step; line: the same as points of a chart.
    """

    code: int
    rank: int
    count: int
    share: str
    patches: str
    shown: int
    beyond_edge: bool
    alone: str
    distances: str
    neighbours: str
    counts: tuple[tuple[int, int], ...]
    line: str


@dataclass(frozen=True)
class CodeCards:
    """The codes of one run of a group. reach: pixels shown around a token. why: there are none."""

    group: str
    run: str
    cards: tuple[CodeCard, ...] = ()
    reach: int = 0
    why: str = ""


def code_cards(group: str, study: Study) -> CodeCards:
    """Codes of a study at even ranks of their use, the most used one first."""
    try:
        study.quantizer.require_listed()
        tokens = analysis.pictures.token_table(study)
    except InputError as error:
        return CodeCards(group, study.name, why=str(error))
    counts = tokens["code"].value_counts(sort=False).sort_index()
    order = counts.index.to_numpy()[np.argsort(-counts.to_numpy(), kind="stable")]
    ranks = np.unique(np.linspace(0, len(order) - 1, min(CODES, len(order))).round().astype(int))
    codes = [int(order[rank]) for rank in ranks]
    histories, reach = _histories(study, codes), study.encoding.images.shape[-1] // study.encoding.codes.shape[-1]
    cards = tuple(
        _card(study, tokens, code, int(rank) + 1, histories.get(code, ()), reach)
        for code, rank in zip(codes, ranks, strict=True)
    )
    return CodeCards(group, study.name, cards, reach)


def _card(
    study: Study, tokens: pd.DataFrame, code: int, rank: int, history: Sequence[tuple[int, int]], reach: int
) -> CodeCard:
    # Evenly spread over rows that are sorted by distance: quantiles of the distance.
    by_distance = tokens[tokens["code"] == code].sort_values("squared_distance", kind="stable")
    found = analysis.pictures.code_patches(study, by_distance, code, reach=reach, most=PATCHES)
    return CodeCard(
        code=code,
        rank=rank,
        count=found.count,
        share=f"{found.count / len(tokens):.2%}",
        patches=picture_uri(strip(found.patches)),
        shown=len(found.patches),
        beyond_edge=not found.inside.all(),
        alone=picture_uri(found.alone),
        distances=_distances(found.tokens["squared_distance"]),
        neighbours=_neighbours(study, code),
        counts=tuple(history),
        line=_line([count for _, count in history]),
    )


def _distances(squared: pd.Series) -> str:
    nearest, farthest = (math.sqrt(float(squared.iloc[place])) for place in (0, -1))
    return f"{nearest:.3g} to {farthest:.3g}" if math.isfinite(farthest) else ""


def _neighbours(study: Study, code: int) -> str:
    try:
        study.require_geometry()
        found = analysis.geometry.code_neighbours(study, [code], NEIGHBOURS)
    except InputError:
        return ""
    return ", ".join(f"{row.neighbour} ({row.distance:.3g})" for row in found.itertuples())


def _histories(study: Study, codes: list[int]) -> dict[int, list[tuple[int, int]]]:
    """The counts of each code at each snapshot; none for a grid, or a method whose codes can't be exchanged."""
    try:
        frame = analysis.usage.code_history(study, codes)
    except InputError:
        return {}
    return {
        int(code): [(int(row.step), int(row.count_)) for row in rows.rename(columns={"count": "count_"}).itertuples()]
        for code, rows in frame.groupby("code")
    }


def _line(counts: Sequence[int]) -> str:
    """Points of a polyline in a chart of the size CHART."""
    width, height = CHART
    if len(counts) < 2:
        return ""
    most = max(*counts, 1)
    points = [
        (width * place / (len(counts) - 1), height - (height - 4) * count / most - 2)
        for place, count in enumerate(counts)
    ]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
