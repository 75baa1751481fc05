"""A mean over batches, as a sum and a number of values."""

from __future__ import annotations

from typing import Self

from torch import Tensor

from lgq_explore.errors import InputError


class Mean:
    """The mean of values that come in batches; the sum is in float64."""

    def __init__(self) -> None:
        self._sum, self._number = 0.0, 0

    def update(self, values: Tensor) -> None:
        """Add values of any shape, on any device."""
        self._sum += values.double().sum().item()
        self._number += values.numel()

    def merge(self, other: Self) -> None:
        """Add the values of another mean."""
        self._sum += other._sum
        self._number += other._number

    def compute(self) -> float:
        """The mean of all values so far. Raises InputError before the first."""
        if self._number == 0:
            raise InputError("the mean of no values is undefined: update with at least one batch")
        return self._sum / self._number
