"""The nearest codes of each code."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from lgq_explore.errors import InputError
from lgq_explore.runs.study import Study

from ..codes import checked_codes

NEIGHBOURS = 8


def code_neighbours(study: Study, codes: list[int], neighbours: int = NEIGHBOURS) -> pd.DataFrame:
    """The nearest other codes of each joint code: code, rank (from 1), neighbour, distance; a row per pair.

    Nearest is the method's own: to a token that lies at the code. distance: Euclidean, in the space of
    `Quantizer.continuous`. Ties go to the lower code. Fewer than `neighbours` where the codebook has no more.

    Raises:
        InputError: a code outside 0 … K − 1, fewer than one neighbour, or more codes than can be listed.
    """
    if neighbours < 1:
        raise InputError(f"neighbours is {neighbours}: give at least 1")
    codes = checked_codes(codes, study.quantizer.codebook_size)
    points = study.code_points.double()
    nearness = study.quantizer.distances(points[codes])
    nearness[range(len(codes)), codes] = torch.inf
    order = nearness.argsort(dim=1, stable=True)[:, : min(neighbours, len(points) - 1)]
    distances = (points[codes][:, None] - points[order]).norm(dim=2)
    return pd.DataFrame(
        {
            "code": np.repeat(codes, order.shape[1]),
            "rank": np.tile(np.arange(1, order.shape[1] + 1), len(codes)),
            "neighbour": order.reshape(-1).numpy(),
            "distance": distances.reshape(-1).numpy(),
        }
    )
