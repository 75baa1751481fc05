"""Codes of each photograph, and what each adds to numbers of all tokens together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from lgq_explore.metrics.usage import CodeUsage, code_usage

USAGE: Mapping[str, Callable[[CodeUsage], float]] = {
    "active_codes": lambda usage: usage.active_codes,
    "perplexity": lambda usage: usage.perplexity,
    "entropy_bits": lambda usage: usage.entropy_bits,
    "gini": lambda usage: usage.gini,
}
"""Numbers of codes, as `evaluate` has them."""


def counts_by_photograph(codes: NDArray[np.integer], photograph: NDArray[np.int64]) -> NDArray[np.int64]:
    """Tokens of each photograph that hold each occurring tuple of codes [P, A].

    codes: [N, G, H, W], of crops. photograph: [N], that of each crop; the rows are in its ascending order.
    """
    codes = np.moveaxis(codes, 1, -1)
    tuples, places = np.unique(codes.reshape(-1, codes.shape[-1]), axis=0, return_inverse=True)
    photographs, owners = np.unique(photograph, return_inverse=True)
    counts = np.zeros((len(photographs), len(tuples)), dtype=np.int64)
    np.add.at(counts, (np.repeat(owners, codes.shape[1] * codes.shape[2]), places.ravel()), 1)
    return counts


def usage_values(
    counts: NDArray[np.int64], codebook_size: int, numbers: Iterable[str] = tuple(USAGE)
) -> dict[str, NDArray[np.float64]]:
    """Values [P] of each photograph whose mean is the number of codes over all photographs. counts: [P, A].

        θ + (P − 1) (mean of θ_(−j) − θ_(−j)),        θ_(−j) without photograph j

    They are the pseudo-values of the jackknife (Efron & Tibshirani 1993, chapter 11), shifted to the number as it is
    counted, so that only their spread is the jackknife's.
    """
    together = counts.sum(axis=0)
    whole = code_usage(together, codebook_size)
    if len(counts) < 2:
        return {name: np.array([float(USAGE[name](whole))]) for name in numbers}
    without = [code_usage(together - one, codebook_size) for one in counts]
    return {name: _pseudo_values(USAGE[name], whole, without) for name in numbers}


def _pseudo_values(
    read: Callable[[CodeUsage], float], whole: CodeUsage, without: Iterable[CodeUsage]
) -> NDArray[np.float64]:
    left = np.array([read(usage) for usage in without], dtype=np.float64)
    return read(whole) + (len(left) - 1) * (left.mean() - left)
