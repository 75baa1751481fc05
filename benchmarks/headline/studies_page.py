"""The sections of RESULTS.md on the exploratory sweeps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lgq_explore.bench.markdown import count, table

from . import tables
from .cells import AllCells, Cells
from .exploratory import BySeed, Study, changes, contrast, contrasts, lowest_fd
from .hypotheses import above_curve
from .tables import DASH, Column, interval, plain

CONTRASTS_HEADER = ["method", "against", "it has", "seeds", "FD, ratio", "feature error, ratio", "PSNR, dB"]
CONTRASTS_HEADER += ["luminance, dB", "active codes, ratio", "bits, difference"]


def study_sections(study: Study, cells: AllCells, expected: Mapping[tuple[str, int], int]) -> list[str]:
    """A study's heading, sentences and tables; none where it has no cell.

    expected: the number of cells of each method and codebook size of its sweep, in the order of its file.
    """
    if not cells:
        return []
    cells = {key: cells[key] for key in expected if key in cells}
    done, all_cells = sum(len(each.seeds) for each in cells.values()), sum(expected.values())
    some = next(iter(cells.values()))
    curves = {f"PSNR above {rival}'s curve, dB": _above(rival, cells) for rival in study.curves}
    sections = [
        f"## {study.title}, on validation photographs",
        f"Exploratory: {done} of {count(all_cells, 'cell')} of "
        f"[{study.name}.toml](benchmarks/headline/{study.name}.toml), on {len(some.digests)} validation photographs, "
        f"{int(some.crops.sum()):,d} crops. Nothing here was measured on a held-out photograph.",
        tables.numbers_table(cells.values(), {**tables.QUALITY, **tables.USAGE, **curves, **tables.RECIPE}),
    ]
    size = max(size for _, size in cells)
    pairs = contrasts(study, cells, size)
    if pairs:
        sections += [
            f"What one thing changes, K = {size}. Brackets are at 95 % over seeds, with the deviation that all methods "
            "of the table lend (Fisher's least significant difference), without a correction for the number of rows.",
            table(CONTRASTS_HEADER, [_contrast_row(cells, *pair) for pair in pairs], left=3),
        ]
    if study.candidates:
        candidates = [cells[name, size] for name in study.candidates if (name, size) in cells]
        sections.append(_frozen_sentence(candidates, is_complete=done == all_cells))
    return sections


def _above(rival: str, cells: AllCells) -> Column:
    """PSNR above the rival's curve; a dash for the rival itself, whose curve goes through it."""

    def told(each: Cells) -> str:
        if each.method == rival:
            return DASH
        found, _ = above_curve(each, rival, cells, fewest_seeds=1)
        return plain(None if found is None else found.estimate)

    return told


def _contrast_row(cells: AllCells, a: Cells, b: Cells) -> list[str]:
    def difference(number: BySeed) -> str:
        return interval(contrast(cells, a, b, number), 2)

    def ratio(number: str) -> str:
        found = contrast(cells, a, b, lambda each: _logarithms(each.by_seed(number)))
        return interval(None if found is None else found.mapped(math.exp), 2)

    return [
        a.method,
        b.method,
        changes(a, b),
        f"{len(a.seeds)} and {len(b.seeds)}",
        ratio("fd"),
        ratio("feature_error"),
        difference(lambda each: each.by_seed("psnr_db")),
        difference(lambda each: each.of_key("luminance_psnr_db")),
        ratio("active_codes"),
        difference(lambda each: each.by_seed("entropy_bits")),
    ]


def _logarithms(values: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
    return None if values is None else np.log(values)


def _frozen_sentence(candidates: Sequence[Cells], *, is_complete: bool) -> str:
    if not is_complete:
        return "Cells are missing, and `lgq` is not frozen yet."
    lowest = lowest_fd(candidates)
    assert lowest is not None
    return f"The lowest FD of LGQ is that of `{lowest.method}`, which the rule of the protocol makes `lgq`."
