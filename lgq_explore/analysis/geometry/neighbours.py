"""The nearest codes of each code."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from lgq_explore.errors import InputError
from lgq_explore.frames.geometry import CODE_NEIGHBOURS
from lgq_explore.runs.study import Study

from ..codes import checked_codes

NEIGHBOURS = 8


def code_neighbours(study: Study, codes: list[int], neighbours: int = NEIGHBOURS) -> pd.DataFrame:
    """The nearest other codes of each joint code, one row per pair: `frames.geometry.CODE_NEIGHBOURS`.

    Neighbours are the nearest codes, in the method's own metric, to a token that lies at the code. Ties go to the lower
    code. There are fewer than `neighbours` where the codebook has no more. Distances are Euclidean, whatever the
    metric.

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
    return CODE_NEIGHBOURS.frame(
        {
            "code": np.repeat(codes, order.shape[1]),
            "rank": np.tile(np.arange(1, order.shape[1] + 1), len(codes)),
            "neighbour": order.reshape(-1).numpy(),
            "distance": distances.reshape(-1).numpy(),
        }
    )
