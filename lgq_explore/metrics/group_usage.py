"""Counts of tuples of codes, one code per group, which may be too many to list or to number."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lgq_explore.errors import InputError

from .usage import CodeCounts, CodeUsage, code_usage, flat_codes_within, is_numbered


class GroupedCodeCounts:
    """Counts of the codes of each of G groups, and of their distinct tuples, the joint codes.

    Memory grows with the levels and with the tuples seen, not with their possible number. The result does not depend on
    how tokens were cut into batches.
    """

    def __init__(self, levels: Sequence[int]) -> None:
        if not levels:
            raise InputError("levels are empty: give the number of codes of at least one group")
        self.levels = tuple(levels)
        self.groups = [CodeCounts(level) for level in self.levels]
        # With one group, the tuples are its codes.
        numbered = CodeCounts(self.codebook_size) if is_numbered(self.codebook_size) else None
        self._numbered = self.groups[0] if len(self.levels) == 1 else numbered
        self._tuples: Counter[bytes] = Counter()  # if the tuples have no numbers

    @property
    def codebook_size(self) -> int:
        """K, the product of the levels."""
        return math.prod(self.levels)

    @property
    def tokens(self) -> int:
        return self.groups[0].tokens

    @property
    def joint(self) -> CodeCounts:
        """Counts of joint codes by number, first group slowest. Raises InputError if K is 2^63 or more."""
        if self._numbered is None:
            raise InputError(f"{len(self.levels)} groups make {self.codebook_size:,d} joint codes, too many to number")
        return self._numbered

    def update(self, codes: Tensor | NDArray[np.integer]) -> None:
        """Add a batch of codes [B, G, …], group g in 0 … levels[g] − 1, on any device.

        Raises:
            InputError: codes of another number of groups or outside their levels; nothing is counted then.
        """
        values = codes.detach().cpu().numpy() if isinstance(codes, Tensor) else np.asarray(codes)
        if values.ndim < 2 or values.shape[1] != len(self.levels):
            raise InputError(
                f"codes have shape {list(values.shape)}: give [B, {len(self.levels)}, …], one entry per group"
            )
        parts = np.moveaxis(values, 1, 0).reshape(len(self.levels), -1)
        by_group = np.stack([flat_codes_within(part, level) for part, level in zip(parts, self.levels, strict=True)])
        for counts, of_group in zip(self.groups, by_group, strict=True):
            counts.update(of_group)
        if self._numbered is None:
            rows, times = np.unique(by_group.T, axis=0, return_counts=True)
            self._tuples.update({row.tobytes(): int(count) for row, count in zip(rows, times, strict=True)})
        elif len(self.levels) > 1:
            self._numbered.update(_numbers(by_group, self.levels))

    def merge(self, other: GroupedCodeCounts) -> None:
        """Add the counts of `other`, which must have the same levels. Raises InputError otherwise."""
        if other.levels != self.levels:
            raise InputError(f"counts over levels {other.levels} cannot be added to counts over {self.levels}")
        for counts, more in zip(self.groups, other.groups, strict=True):
            counts.merge(more)
        self._tuples.update(other._tuples)
        if self._numbered is not None and other._numbered is not None and len(self.levels) > 1:
            self._numbered.merge(other._numbered)

    def tuple_counts(self) -> NDArray[np.int64]:
        """The counts of the tuples seen, int64 [active], all at least 1."""
        if self._numbered is not None:
            return self._numbered.active_counts()
        return np.array(sorted(self._tuples.values()), dtype=np.int64)

    def usage(self) -> CodeUsage:
        """The numbers of `code_usage` for the tuples seen, over all K possible ones."""
        return code_usage(self.tuple_counts(), self.codebook_size)

    def group_usages(self) -> list[CodeUsage]:
        """The numbers of `code_usage` for the codes of each group."""
        return [counts.usage() for counts in self.groups]


def _numbers(by_group: NDArray[np.int64], levels: Sequence[int]) -> NDArray[np.int64]:
    """Codes [G, N] → the number of each token's tuple [N], first group slowest."""
    numbers = np.zeros(by_group.shape[1], dtype=np.int64)
    for codes, level in zip(by_group, levels, strict=True):
        numbers = numbers * level + codes
    return numbers
