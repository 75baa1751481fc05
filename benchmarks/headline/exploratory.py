"""What single settings change: the exploratory sweeps of RESULTS.md, on validation photographs alone.

A study is read as contrasts: a method against the one that it differs from in one thing. Three seeds of two methods
are too few for a deviation of their own, so all cells of a study lend theirs,

    s² = Σ_m Σ_i (x_mi − x̄_m)² / Σ_m (n_m − 1),    difference ± t · s · √(1/n_a + 1/n_b)

with Student's t of Σ_m (n_m − 1) degrees of freedom: Fisher's least significant difference (R. A. Fisher, The Design of
Experiments, 1935). It is over seeds, for these photographs, and without a correction for the number of contrasts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from lgq_explore.statistics import Interval

from .cells import AllCells, Cells

BySeed = Callable[[Cells], NDArray[np.float64] | None]
"""A number of each seed [S] of some cells; None where they lack it."""

LEVEL = 0.95


@dataclass(frozen=True)
class Study:
    """A sweep whose methods are read against each other, all at the largest codebook size.

    name: of its file and its folder. against: the method that each is read against. curves: methods whose cells of all
    codebook sizes are curves of PSNR over bits; they have no contrast. candidates: the methods of which the one with
    the lowest FD becomes `lgq`; none of a study that decides nothing.
    """

    name: str
    title: str
    against: Mapping[str, str]
    curves: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()


ABLATIONS = Study(
    "ablations",
    "What makes LGQ better",
    {
        "lgq-split": "lgq-paper",
        "lgq-unbiased": "lgq-split",
        "lgq-effective-codes": "lgq-unbiased",
        "lgq-revival": "lgq-effective-codes",
        "lgq-spread": "lgq-revival",
        "lgq-likelihood": "lgq-spread",
        "lgq-prior": "lgq-spread",
        "lgq-kl": "lgq-spread",
        "lgq-widths": "lgq-spread",
        "lgq-finish": "lgq-spread",
        "fsq-finish": "fsq",
        "vq-finish": "vq",
    },
    curves=("fsq", "vq"),
    candidates=(
        "lgq-paper",
        "lgq-split",
        "lgq-unbiased",
        "lgq-effective-codes",
        "lgq-revival",
        "lgq-spread",
        "lgq-likelihood",
        "lgq-prior",
        "lgq-kl",
        "lgq-widths",
        "lgq-finish",
    ),
)
MECHANISM = Study(
    "mechanism",
    "Where a difference comes from",
    {
        "grid-frozen": "fsq",
        "grid-straight-through": "grid-frozen",
        "grid-soft": "grid-straight-through",
        "grid-frozen-soft": "grid-soft",
        "start-official": "start-distinct",
        "lgq-no-norm": "start-distinct",
        "fsq-layer": "fsq",
        "vq-layer": "vq",
        "simvq-layer": "simvq",
        "annealed": "vq",
        "soft-to-hard": "lgq-no-norm",
    },
)
STUDIES = (ABLATIONS, MECHANISM)


def contrast(cells: AllCells, a: Cells, b: Cells, number: BySeed) -> Interval | None:
    """The number of a minus that of b, with the deviation that all cells lend; None where one of them lacks it."""
    of_a, of_b = number(a), number(b)
    if of_a is None or of_b is None:
        return None
    estimate, seeds = float(of_a.mean() - of_b.mean()), min(len(of_a), len(of_b))
    groups = [values for each in cells.values() if (values := number(each)) is not None]
    freedom = sum(len(values) - 1 for values in groups)
    if not freedom:
        return Interval(estimate, None, None, LEVEL, seeds, len(a.digests), "No method has two seeds.")
    squares = sum(float(((values - values.mean()) ** 2).sum()) for values in groups)
    error = math.sqrt(squares / freedom * (1 / len(of_a) + 1 / len(of_b)))
    half = float(stdtrit(freedom, (1 + LEVEL) / 2)) * error
    return Interval(estimate, estimate - half, estimate + half, LEVEL, seeds, len(a.digests))


def contrasts(study: Study, cells: AllCells, size: int) -> list[tuple[Cells, Cells]]:
    """Each method of the study with the one that it is read against, where both have cells."""
    pairs = [((method, size), (other, size)) for method, other in study.against.items()]
    return [(cells[one], cells[other]) for one, other in pairs if one in cells and other in cells]


def lowest_fd(cells: Iterable[Cells]) -> Cells | None:
    """The cells with the lowest mean FD over seeds: the rule that freezes `lgq`. None where no cells have FD."""
    known = [(float(values.mean()), each) for each in cells if (values := each.by_seed("fd")) is not None]
    return min(known, key=lambda found: found[0])[1] if known else None


def changes(a: Cells, b: Cells) -> str:
    """What the recipe of a has, and b's has not: `estimator = split`; the method's name alone for another method."""
    ours, theirs = (_settings(each) for each in (a, b))
    if ours["method"] != theirs["method"]:
        return f"`{ours['method']}`"
    return ", ".join(
        f"{name} = {_told(value)}" for name, value in ours.items() if name in theirs and theirs[name] != value
    )


def _settings(cells: Cells) -> dict[str, object]:
    recipe = cells.summaries[0]["recipe"]
    rest = {name: value for name, value in recipe.items() if name not in ("quantizer", "backbone", "seed")}
    return {**rest, **recipe["backbone"], **recipe["quantizer"]}


def _told(value: object) -> str:
    if isinstance(value, Mapping) and {"start", "end"} <= value.keys():
        unit = str(value.get("unit", "")).replace("_", " ")
        return f"{value['start']:g} → {value['end']:g} {unit}".rstrip()
    return str(value)
