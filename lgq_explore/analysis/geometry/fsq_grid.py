"""FSQ grids fitted to the tokens of a run, and the regularity of a codebook as a lattice."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from lgq_explore.errors import InputError
from lgq_explore.frames.geometry import LATTICE_EDGES
from lgq_explore.quantizers import FSQConfig, Quantizer
from lgq_explore.quantizers.plain_tokens import code_vectors, codes_of
from lgq_explore.runs.study import Study
from lgq_explore.training.fit import fit_quantizer

FIT_STEPS = 1000
QUARTILES = (0.25, 0.5, 0.75)

MOST_EDGES = 20_000
"""Most lines of a lattice: a lattice with more is drawn without lines, which would merge into a grey area."""


@dataclass(frozen=True, eq=False)
class FittedGrid:
    """An FSQ grid whose projections were fitted to the tokens of a run, so that both lie in one space.

    points: float32 [K, P], where it decodes its codes to. counts: [K], tokens that take each. levels: of the grid.
    distortion: mean |z − q|² over the N `tokens` it was fitted to, summed over dimensions.
    fitted_to: fingerprint of these tokens.
    """

    points: NDArray[np.float32]
    counts: NDArray[np.int64]
    levels: tuple[int, ...]
    distortion: float
    tokens: int
    steps: int
    seed: int
    fitted_to: str


@dataclass(frozen=True)
class LatticeRegularity:
    """How evenly N points are spaced. value: 1 on a lattice, 0 for random points, below 0 where they cluster.

    With s the distance between the quartiles of the distances to the nearest other point, relative to their median,
    value = 1 − s / chance, where chance is the s of random points. On a lattice, and on its image under any linear map,
    all these distances are equal except for a few points of its surface: s = 0. spread: s.
    """

    value: float
    spread: float
    points: int


def fit_grid(
    study: Study,
    levels: Sequence[int] | None = None,
    *,
    steps: int = FIT_STEPS,
    seed: int = 0,
) -> FittedGrid:
    """Fit an FSQ grid to a study's tokens, in the space where its method rounds; every call gives the same grid.

    levels: by default those nearest to the codebook size. The grid is fitted to the tokens that are shown, and the
    codebook was fitted to others: the comparison favours the grid.

    Raises:
        InputError: levels that make no grid, or codes without a geometry.
    """
    study.require_geometry()
    tokens, size = study.points, study.quantizer.codebook_size
    try:
        config = FSQConfig.for_codebook_size(size) if levels is None else FSQConfig(tuple(levels))
    except ValueError as error:
        raise InputError(str(error)) from error
    fit = fit_quantizer(config, tokens, steps=steps, seed=seed)
    codes = codes_of(fit.quantizer, tokens)
    return FittedGrid(
        points=decoded_points(fit.quantizer),
        counts=np.bincount(codes.numpy(), minlength=fit.quantizer.codebook_size),
        levels=fit.quantizer.levels,
        distortion=float(fit.history["distortion"].iloc[-1]),
        tokens=len(tokens),
        steps=steps,
        seed=seed,
        fitted_to=fingerprint(tokens.numpy()),
    )


def decoded_points(quantizer: Quantizer) -> NDArray[np.float32]:
    """The vector that each joint code gives to the decoder [K, D]; for grids after their output projection.

    Raises:
        InputError: more codes than can be listed.
    """
    return code_vectors(quantizer).float().numpy()


def lattice_edges(levels: Sequence[int]) -> pd.DataFrame:
    """Pairs of joint codes one step apart on a grid: `frames.geometry.LATTICE_EDGES`. Empty above `MOST_EDGES` pairs.

    A grid has Σ_g (L_g − 1) K / L_g pairs; a method with one group has no grid, and no pairs.
    """
    size = math.prod(levels)
    pairs = sum((level - 1) * size // level for level in levels)
    if len(levels) < 2 or pairs > MOST_EDGES:
        return LATTICE_EDGES.frame({})
    codes = np.arange(size)
    digits = np.array(np.unravel_index(codes, levels))
    parts = []
    for group, level in enumerate(levels):
        inner = codes[digits[group] < level - 1]
        step = math.prod(levels[group + 1 :])
        parts.append(pd.DataFrame({"group": group, "code": inner, "neighbour": inner + step}))
    return LATTICE_EDGES.frame(pd.concat(parts, ignore_index=True))


def lattice_regularity(points: NDArray[np.floating]) -> LatticeRegularity:
    """How evenly points [K, P] are spaced, K ≥ 2, by the distances to the nearest other point.

    Chance is the spread of these distances for random points in P dimensions. Their P-th power is exponentially
    distributed (Clark & Evans 1954 for P = 2), so their q-quantile is proportional to (−log(1 − q))^{1/P}. Points that
    coincide count as one.

    Raises:
        InputError: fewer than two different points.
    """
    distinct = np.unique(np.asarray(points, dtype=np.float64), axis=0)
    if len(distinct) < 2:
        raise InputError(f"{len(distinct)} different points: give at least 2")
    distances = NearestNeighbors(n_neighbors=2).fit(distinct).kneighbors(distinct)[0][:, 1]
    spread = _quartile_spread(np.quantile(distances, QUARTILES))
    chance = _quartile_spread((-np.log1p(-np.array(QUARTILES))) ** (1 / distinct.shape[1]))
    return LatticeRegularity(1 - spread / chance, spread, len(distinct))


def _quartile_spread(quartiles: NDArray[np.floating]) -> float:
    lower, median, upper = quartiles
    return float((upper - lower) / median)


def fingerprint(points: NDArray[np.floating]) -> str:
    """A digest of points: equal for equal points only."""
    return hashlib.sha256(np.ascontiguousarray(points, dtype=np.float32).tobytes()).hexdigest()[:16]
