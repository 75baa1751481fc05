"""What is there to say about each code of a map: how used, how far moved, how crowded around, of what shape?"""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from lgq_explore.errors import InputError
from lgq_explore.quantizers import Quantizer, SoftQuantizer, nearest_codes
from lgq_explore.runs.encoding import Encoding
from lgq_explore.runs.frozen_run import frozen, spread_over
from lgq_explore.runs.run import Run

from ..code_space import token_points
from ..temperature.annealing import split_temperatures
from .cells import code_cells
from .density import log_ball_volume
from .fsq_grid import FittedGrid
from .latent_map import MOST_SNAPSHOTS, codebook_at

COSTLY_COLOURS = ("log_density", "anisotropy", "split_temperature")
"""Columns that take seconds where codes or tokens are many, and are there only if they are asked for."""

DENSITY_NEIGHBOURS = 10
DENSITY_VARIANCE = 0.9
"""Share of the tokens' variance that the directions hold in which density is measured."""


def map_colours(run: Run, encoding: Encoding, step: int | None = None, costly: Collection[str] = ()) -> pd.DataFrame:
    """A row a code of the codebook of `step` (today's by default), with what a map can colour it by.

    code; count: today's tokens whose nearest code it is. drift: its distance from its place in the first snapshot, and
    last_move from that in the snapshot before on the map (at most MOST_SNAPSHOTS), in units of the space where the
    method rounds; NaN for a fixed grid, which has no snapshots.
    costly: columns of COSTLY_COLOURS to add. log_density: of tokens at its place, see the function of that name.
    anisotropy: of its cell, see `code_cells`; NaN where tokens are too few.
    split_temperature: see `annealing.split_temperatures`, with responsibilities at the temperature that training ended
    with; NaN for a method without temperature.

    Raises:
        InputError: a step of which there is no snapshot, an encoding of another run, or another column.
    """
    run = frozen(run)
    run.require_own(encoding)
    quantizer = run.tokenizer().quantizer
    today = run.finished_steps
    step = today if step is None else step
    points = codebook_at(run, quantizer, step)
    tokens = token_points(quantizer, encoding).cpu()
    steps = (
        [] if quantizer.codebook_is_fixed else spread_over(sorted({*run.codebook_snapshots(), today}), MOST_SNAPSHOTS)
    )
    before = [earlier for earlier in steps if earlier < step]
    nothing = np.full(len(points), math.nan)

    def moved_since(earlier: int) -> NDArray[np.floating]:
        return np.linalg.norm(points - codebook_at(run, quantizer, earlier), axis=1)

    return pd.DataFrame(
        {
            "code": np.arange(len(points)),
            "count": _counts(tokens, points),
            "drift": moved_since(steps[0]) if steps else nothing,
            "last_move": moved_since(before[-1]) if before else nothing,
            **_costly(quantizer, encoding, points, costly),
        }
    )


def grid_colours(
    quantizer: Quantizer, encoding: Encoding, grid: FittedGrid, costly: Collection[str] = ()
) -> pd.DataFrame:
    """The same of a grid that was fitted to a run's tokens: code, count, and what is asked for. It does not move.

    Raises:
        InputError: an encoding of another quantizer, or another column.
    """
    columns = _costly(quantizer, encoding, grid.points, costly)
    # The grid was not annealed: the run's temperature is none of its own.
    columns.pop("split_temperature", None)
    return pd.DataFrame({"code": np.arange(len(grid.points)), "count": grid.counts, **columns})


def log_density(
    points: NDArray[np.floating], tokens: NDArray[np.floating], neighbours: int = DENSITY_NEIGHBOURS
) -> NDArray[np.float64]:
    """Natural logarithm of the density of N tokens [N, E] at points [K, E], used or not, per unit of volume: [K].

        log f = log k − log N − log V_d − d log r_k      (Loftsgaarden & Quesenberry 1965)

    r_k: distance to the k-th nearest token; V_d: volume of the unit ball. Both are taken in the d directions of
    greatest variance that hold nine tenths of the tokens', for in all E the distances say less and less.

    Raises:
        InputError: fewer tokens than neighbours.
    """
    if not 1 <= neighbours <= len(tokens):
        raise InputError(f"neighbours is {neighbours} of {len(tokens)} tokens: give at least 1, and at most all")
    model = PCA(svd_solver="full").fit(tokens.astype(np.float64))
    held = np.cumsum(model.explained_variance_ratio_)
    dimensions = min(int(np.searchsorted(held, DENSITY_VARIANCE)) + 1, len(held))
    places, around = (model.transform(part.astype(np.float64))[:, :dimensions] for part in (points, tokens))
    distances = NearestNeighbors(n_neighbors=neighbours).fit(around).kneighbors(places)[0][:, -1]
    farthest = np.log(np.maximum(distances, np.finfo(np.float64).tiny))
    return math.log(neighbours / len(tokens)) - log_ball_volume(dimensions) - dimensions * farthest


def _counts(tokens: torch.Tensor, points: NDArray[np.float32]) -> NDArray[np.int64]:
    return torch.bincount(nearest_codes(tokens, torch.from_numpy(points)), minlength=len(points)).numpy()


def _costly(
    quantizer: Quantizer, encoding: Encoding, points: NDArray[np.float32], columns: Collection[str]
) -> dict[str, NDArray[np.floating]]:
    unknown = set(columns) - set(COSTLY_COLOURS)
    if unknown:
        raise InputError(f"costly holds {sorted(unknown)}: choose of {', '.join(COSTLY_COLOURS)}")
    made: dict[str, NDArray[np.floating]] = {}
    if "log_density" in columns:
        made["log_density"] = log_density(points, token_points(quantizer, encoding).cpu().numpy())
    if "anisotropy" in columns:
        # The shape of a cell does not depend on the dimension that volumes are taken in.
        width = float(points.shape[1])
        cells = code_cells(quantizer, encoding, codebook=torch.from_numpy(points), dimension=width)
        made["anisotropy"] = cells["anisotropy"].to_numpy()
    if "split_temperature" in columns:
        made["split_temperature"] = np.full(len(points), math.nan)
        if isinstance(quantizer, SoftQuantizer):
            split = split_temperatures(token_points(quantizer, encoding), points, quantizer.temperature)
            made["split_temperature"] = split["split_temperature"].to_numpy()
    return made
