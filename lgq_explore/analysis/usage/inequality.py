"""How unevenly are the tokens spread over the codes?"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lgq_explore.errors import InputError
from lgq_explore.metrics import CodeCounts, LorenzCurve, lorenz_curve, lorenz_curve_uniform
from lgq_explore.runs.encoding import Encoding

from .counts import codebook_size, token_codes

LARGEST_CURVE = 512
"""Points of a curve that are kept: as many as half a screen can show."""

COUNTED, UNIFORM = "counted", "uniform sampling"


def by_rank(encoding: Encoding) -> pd.DataFrame:
    """The active codes from the most to the least used: rank (from 1), code, count (tokens), share (of all N tokens).

    Of more than `LARGEST_CURVE` codes some are left out, evenly along the logarithm of the rank; the last stays.

    Raises:
        InputError: an encoding without tokens, or a code outside its levels.
    """
    counts = _counts(encoding)
    active = counts.active_counts()
    order = np.argsort(-active, kind="stable")
    kept = _spread_logarithmically(len(order))
    frame = {"rank": kept + 1, "code": counts.active_codes()[order[kept]], "count": active[order[kept]]}
    return pd.DataFrame(frame).assign(share=lambda ranked: ranked["count"] / counts.tokens)


def lorenz(encoding: Encoding) -> pd.DataFrame:
    """Two Lorenz curves: curve (COUNTED, or UNIFORM: N tokens drawn uniformly), code_share, token_share, ascending.

    `metrics.lorenz_curve` and `lorenz_curve_uniform` say what they are; at most `LARGEST_CURVE` points of each.

    Raises:
        InputError: an encoding without tokens, or a code outside its levels.
    """
    counts = _counts(encoding)
    curves = {
        COUNTED: lorenz_curve(counts.active_counts(), counts.codebook_size),
        UNIFORM: lorenz_curve_uniform(counts.tokens, counts.codebook_size),
    }
    return pd.concat([_frame(name, curve) for name, curve in curves.items()], ignore_index=True)


def _counts(encoding: Encoding) -> CodeCounts:
    counts = CodeCounts(codebook_size(encoding))
    counts.update(token_codes(encoding))
    if not counts.tokens:
        raise InputError(f"{len(encoding)} pictures with no tokens: encode at least one picture first")
    return counts


def _spread_logarithmically(number: int) -> NDArray[np.int64]:
    """Positions 0 … number − 1, or `LARGEST_CURVE` at most of them, dense at the start."""
    if number <= LARGEST_CURVE:
        return np.arange(number)
    return np.unique(np.geomspace(1, number, LARGEST_CURVE).round().astype(np.int64)) - 1


def _frame(name: str, curve: LorenzCurve) -> pd.DataFrame:
    corners = len(curve.code_share)
    # The second corner is where the dead codes end.
    rest = np.linspace(1, corners - 1, min(corners - 1, LARGEST_CURVE - 1)).round().astype(np.int64)
    kept = np.concatenate([[0], rest])
    return pd.DataFrame({"curve": name, "code_share": curve.code_share[kept], "token_share": curve.token_share[kept]})
