"""Values by which a map colours its codes: usage, movement, density around them, and shape of their cells."""

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
from lgq_explore.frames.geometry import (
    ANISOTROPY,
    COSTLY_COLOURS,
    COUNT,
    DRIFT,
    LAST_MOVE,
    LOG_DENSITY,
    MAP_COLOURS,
    SPLIT_TEMPERATURE,
)
from lgq_explore.quantizers import SoftQuantizer, nearest_codes
from lgq_explore.runs.study import Study

from ..temperature.annealing import split_temperatures
from .cells import cells_of_points, image_of_tokens
from .density import log_ball_volume
from .fsq_grid import FittedGrid
from .latent_map import codebook_at, steps_on_the_map

DENSITY_NEIGHBOURS = 10
DENSITY_VARIANCE = 0.9
"""Share of the tokens' variance in the directions in which density is measured."""


def map_colours(study: Study, step: int | None = None, costly: Collection[str] = ()) -> pd.DataFrame:
    """What a map can colour the codes of `step` by, today's by default: `frames.geometry.MAP_COLOURS`.

    Distances are in units of the space where the method rounds; `steps_on_the_map` gives the snapshots on the map.
    costly: columns of COSTLY_COLOURS to add. They are those of `log_density`, of `code_cells`, and of
    `temperature.split_temperatures` with responsibilities at the temperature that training ended with.

    Raises:
        InputError: a step of which there is no snapshot, more codes than can be listed, or another column.
    """
    step = study.trained.finished_steps if step is None else step
    points = codebook_at(study, step)
    codes = study.codes_at(step)
    steps = [] if study.quantizer.codebook_is_fixed else steps_on_the_map(study)
    before = [earlier for earlier in steps if earlier < step]
    nothing = np.full(len(points), math.nan)

    def moved_since(earlier: int) -> NDArray[np.floating]:
        return np.linalg.norm(points - codebook_at(study, earlier), axis=1)

    return MAP_COLOURS.frame(
        {
            "code": np.arange(len(points)),
            COUNT: np.bincount(codes, minlength=len(points)),
            DRIFT: moved_since(steps[0]) if steps else nothing,
            LAST_MOVE: moved_since(before[-1]) if before else nothing,
            **_costly(study, points, codes, costly),
        }
    )


def grid_colours(study: Study, grid: FittedGrid, costly: Collection[str] = ()) -> pd.DataFrame:
    """The same for a grid that was fitted to a study's tokens. A grid does not move: it has no drift and no last_move.

    Raises:
        InputError: another column.
    """
    codes = nearest_codes(study.points, torch.from_numpy(grid.points)).numpy()
    columns = _costly(study, grid.points, codes, costly)
    # The grid was not annealed, so the run's temperature does not apply to it.
    columns.pop(SPLIT_TEMPERATURE, None)
    return MAP_COLOURS.frame({"code": np.arange(len(grid.points)), COUNT: grid.counts, **columns})


def log_density(
    points: NDArray[np.floating], tokens: NDArray[np.floating], neighbours: int = DENSITY_NEIGHBOURS
) -> NDArray[np.float64]:
    """Natural logarithm of the density of N tokens [N, P] at points [K, P], per unit of volume: [K].

        log f = log k − log N − log V_d − d log r_k      (Loftsgaarden & Quesenberry 1965)

    r_k: distance to the k-th nearest token; V_d: volume of the unit ball. Both are taken in the d directions of
    greatest variance that hold nine tenths of the tokens', because in all P dimensions distances tell little.

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


def _costly(
    study: Study, points: NDArray[np.float32], codes: NDArray[np.int64], columns: Collection[str]
) -> dict[str, NDArray[np.floating]]:
    """The costly columns for codes at `points` [K, P]. codes: [N], the code of each token."""
    unknown = set(columns) - set(COSTLY_COLOURS)
    if unknown:
        raise InputError(f"costly holds {sorted(unknown)}: choose of {', '.join(COSTLY_COLOURS)}")
    made: dict[str, NDArray[np.floating]] = {}
    if LOG_DENSITY in columns:
        made[LOG_DENSITY] = log_density(points, study.points.numpy())
    if ANISOTROPY in columns:
        # The shape of a cell does not depend on the dimension that volumes are taken in.
        book, width = torch.from_numpy(points), float(points.shape[1])
        cells = cells_of_points(study.points, image_of_tokens(study), book, torch.from_numpy(codes), dimension=width)
        made[ANISOTROPY] = cells[ANISOTROPY].to_numpy()
    if SPLIT_TEMPERATURE in columns:
        made[SPLIT_TEMPERATURE] = np.full(len(points), math.nan)
        if isinstance(study.quantizer, SoftQuantizer):
            split = split_temperatures(study.points, points, study.quantizer.temperature)
            made[SPLIT_TEMPERATURE] = split["split_temperature"].to_numpy()
    return made
