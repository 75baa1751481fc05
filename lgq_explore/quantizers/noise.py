"""Random numbers as a function of a step, a row and a column, so that no table of them has to be kept.

A number is what the step, the number of a token in the whole batch and the number of a column are mixed to. It is the
same in whatever order and in whatever tiles it is asked for, on every kind of device, and however many processes share
a batch. The numbers of different steps, rows and columns have nothing in common.

Bits are mixed by two rounds of shifts and products with the constants of Wellons's search for hash functions without
bias (2018, nullprogram.com/blog/2018/07/31).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .distributed_mean import process_number

ROUNDS = ((16, 0x7FEB352D), (15, 0x846CA68B - 2**32))
"""Shifts, and factors as signed numbers of 32 bits."""

LAST_SHIFT = 16
UNIFORM_BITS = 23
"""Bits of a uniform number: with half a unit added they fit into a float32, and neither 0 nor 1 occurs."""


@dataclass(frozen=True)
class Noise:
    """Independent random numbers of one step for tokens. first: the number of the first of them in the whole batch."""

    step: int
    tokens: int
    first: int = 0

    @classmethod
    def of_batch(cls, step: int, tokens: int) -> Noise:
        """That of a batch with so many tokens in each process; the first ones are those of process 0."""
        return cls(step, tokens, first=process_number() * tokens)

    def uniform(self, rows: slice, columns: int, device: torch.device) -> Tensor:
        """Uniform in (0, 1), float32 [rows, columns]."""
        numbers = (self.first + rows.start, self.first + rows.stop)
        of_rows = torch.arange(*numbers, dtype=torch.int32, device=device)
        of_columns = torch.arange(columns, dtype=torch.int32, device=device)
        of_step = _mixed(torch.full((1,), self.step, dtype=torch.int32, device=device))
        # One after the other: a sum of all three would be the same for many a row and column.
        bits = _mixed(_mixed(_mixed(of_rows) + of_step)[:, None] ^ _mixed(of_columns))
        return _shifted(bits, 32 - UNIFORM_BITS).float().add_(0.5).mul_(2.0**-UNIFORM_BITS)

    def gumbel(self, rows: slice, columns: int, device: torch.device) -> Tensor:
        """Of the standard Gumbel distribution, float32 [rows, columns]; in [−2.9, 16.7]."""
        return self.uniform(rows, columns, device).log_().neg_().log_().neg_()

    def normal(self, columns: int, device: torch.device) -> Tensor:
        """Of the standard normal distribution, float32 [tokens, columns], by Box and Muller (1958)."""
        radius, angle = self.uniform(slice(0, self.tokens), 2 * columns, device).chunk(2, dim=1)
        return radius.log().mul_(-2).sqrt_() * angle.mul(2 * math.pi).cos_()


def _mixed(numbers: Tensor) -> Tensor:
    """Each int32 number to another one; different ones to different ones."""
    for shift, factor in ROUNDS:
        numbers = (numbers ^ _shifted(numbers, shift)) * factor
    return numbers ^ _shifted(numbers, LAST_SHIFT)


def _shifted(numbers: Tensor, bits: int) -> Tensor:
    """int32 numbers shifted to the right, with zeros from the left also where they are negative."""
    return (numbers >> bits) & (2 ** (32 - bits) - 1)
