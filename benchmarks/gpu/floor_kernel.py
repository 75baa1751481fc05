"""A kernel that repeats exponentials in registers, to measure a GPU's rate of exponentials."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def exponentiate(numbers: tl.tensor, repeats: tl.tensor, BLOCK: tl.constexpr) -> None:
    places = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(numbers + places)
    for _ in range(repeats):
        x = tl.exp2(-x)  # stays between 0 and 1
    tl.store(numbers + places, x)
