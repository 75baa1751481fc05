"""How unevenly tokens are spread over codes: usage by rank, and Lorenz curves."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lgq_explore.errors import InputError
from lgq_explore.frames.usage import BY_RANK, COUNTED, LORENZ, UNIFORM
from lgq_explore.metrics import CodeCounts, LorenzCurve, lorenz_curve, lorenz_curve_uniform
from lgq_explore.runs.study import Study

from .counts import code_counts

LARGEST_CURVE = 512
"""Most points of a curve that are kept: as many as half a screen can show."""


def by_rank(study: Study) -> pd.DataFrame:
    """The active codes from the most to the least used: `frames.usage.BY_RANK`.

    Above `LARGEST_CURVE` codes, rows are thinned evenly along the logarithm of the rank; the last one stays.

    Raises:
        InputError: a study without tokens.
    """
    counts = _counts(study)
    active = counts.active_counts()
    order = np.argsort(-active, kind="stable")
    kept = _spread_logarithmically(len(order))
    count = active[order[kept]]
    codes = counts.active_codes()[order[kept]]
    return BY_RANK.frame({"rank": kept + 1, "code": codes, "count": count, "share": count / counts.tokens})


def lorenz(study: Study) -> pd.DataFrame:
    """The Lorenz curves of the study's tokens and of as many drawn uniformly: `frames.usage.LORENZ`.

    `metrics.lorenz_curve` and `lorenz_curve_uniform` define them; at most `LARGEST_CURVE` points of each are kept.

    Raises:
        InputError: a study without tokens.
    """
    counts = _counts(study)
    curves = {
        COUNTED: lorenz_curve(counts.active_counts(), counts.codebook_size),
        UNIFORM: lorenz_curve_uniform(counts.tokens, counts.codebook_size),
    }
    return LORENZ.frame(pd.concat([_frame(name, curve) for name, curve in curves.items()], ignore_index=True))


def _counts(study: Study) -> CodeCounts:
    counts = code_counts(study)
    if not counts.tokens:
        raise InputError(f"{len(study.encoding)} pictures with no tokens: encode at least one picture first")
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
