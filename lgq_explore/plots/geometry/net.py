"""Lines that join neighbouring codes of a grid."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lgq_explore.frames.geometry import EDGES, PLACED_CODES


def line_ends(codes: pd.DataFrame, edges: pd.DataFrame | None) -> NDArray[np.float32]:
    """[edges, 2, 2]: x and y of both ends of each line.

    codes: code, x, y. edges: code, neighbour; None for no lines. Raises InputError where a column is missing.
    """
    if edges is None:
        return np.empty((0, 2, 2), dtype=np.float32)
    PLACED_CODES.require(codes)
    EDGES.require(edges)
    places = codes.set_index("code")[["x", "y"]].astype(np.float32)
    return np.stack([places.loc[edges[end]].to_numpy() for end in ("code", "neighbour")], axis=1)


def broken_line(ends: NDArray[np.float32]) -> NDArray[np.float32]:
    """[edges, 2, 2] → [2, 3 · edges]: x and y of all lines as one, with a gap behind each."""
    gaps = np.full((len(ends), 1, 2), math.nan, dtype=np.float32)
    return np.concatenate([ends, gaps], axis=1).reshape(-1, 2).T.copy()
