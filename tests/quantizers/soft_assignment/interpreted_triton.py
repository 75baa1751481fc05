"""How does a process come to interpret Triton's kernels on its CPU, with the products of tensor cores?

It runs this file before it imports anything. The interpreter keeps bfloat16 as integers of 16 bits, and leaves products
to BLAS, which adds in an order of its own, and in another for B Aᵀ than for A Bᵀ.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

os.environ["TRITON_INTERPRET"] = "1"  # triton looks for it once, when it is imported

from triton.runtime.interpreter import InterpreterBuilder, TensorHandle

DEPTH = 16
"""Products that a tensor core adds at once, to what it has."""


def create_dot(_: InterpreterBuilder, a: TensorHandle, b: TensorHandle, total: TensorHandle, *__: Any) -> TensorHandle:
    assert a.data.dtype == b.data.dtype == np.uint16, "products of anything but bfloat16"
    columns, rows, sums = as_float64(a.data), as_float64(b.data), total.data
    for start in range(0, len(rows), DEPTH):
        products = columns[:, start : start + DEPTH, None] * rows[None, start : start + DEPTH]
        sums = (sums + products.sum(1)).astype(np.float32)
    return TensorHandle(sums, total.dtype.scalar)


def as_float64(bfloat16: np.ndarray) -> np.ndarray:
    return (bfloat16.astype(np.uint32) << 16).view(np.float32).astype(np.float64)


InterpreterBuilder.create_dot = create_dot
