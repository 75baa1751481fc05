"""Holm's correction for several hypotheses."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lgq_explore.errors import InputError


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """The adjusted p-values of m declared hypotheses, in the given order.

    p_values: [m]. Sorted ascending they become max over l ≤ k of min(1, (m − l + 1) p_(l)); those below α may be
    rejected, and the chance of one false rejection or more is at most α, however the tests depend on each other.
    Raises InputError for numbers outside of 0 … 1. Holm, Scandinavian Journal of Statistics 6, 1979.
    """
    given = np.asarray(p_values, dtype=np.float64)
    if given.ndim != 1 or not ((given >= 0) & (given <= 1)).all():
        raise InputError(f"p_values are {given.tolist()}: give one number in 0 … 1 for each hypothesis")
    order = np.argsort(given, kind="stable")
    factors = np.arange(len(given), 0, -1)
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(factors * given[order]))
    return adjusted
