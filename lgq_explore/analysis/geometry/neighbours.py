"""Which codes lie nearest to a code?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from lgq_explore.errors import InputError
from lgq_explore.quantizers import Quantizer

from ..code_space import checked_codes, code_points

NEIGHBOURS = 8


def code_neighbours(quantizer: Quantizer, codes: list[int], neighbours: int = NEIGHBOURS) -> pd.DataFrame:
    """The nearest other codes of each joint code: code, rank (from 1), neighbour, distance; a row a pair.

    distance: Euclidean, in the space of `Quantizer.continuous`, where a token takes the nearest code. Ties go to the
    lower code. Fewer than `neighbours` where the codebook has no more.

    Raises:
        InputError: a code outside 0 … K − 1, or fewer than one neighbour.
    """
    if neighbours < 1:
        raise InputError(f"neighbours is {neighbours}: give at least 1")
    codes = checked_codes(codes, quantizer.codebook_size)
    points = code_points(quantizer).double()
    distances = torch.cdist(points[codes], points, compute_mode="donot_use_mm_for_euclid_dist")
    distances[range(len(codes)), codes] = torch.inf
    order = distances.argsort(dim=1, stable=True)[:, : min(neighbours, len(points) - 1)]
    return pd.DataFrame(
        {
            "code": np.repeat(codes, order.shape[1]),
            "rank": np.tile(np.arange(1, order.shape[1] + 1), len(codes)),
            "neighbour": order.reshape(-1).cpu().numpy(),
            "distance": distances.gather(1, order).reshape(-1).cpu().numpy(),
        }
    )
