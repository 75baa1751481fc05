"""How does a process come to interpret Triton's kernels on its CPU, rounding products as a GPU does?

It runs this file before it imports anything. BLAS, which the interpreter leaves products to, adds in an order of its
own, and in another for B Aᵀ than for A Bᵀ.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

os.environ["TRITON_INTERPRET"] = "1"  # triton looks for it once, when it is imported

from triton.runtime.interpreter import InterpreterBuilder, TensorHandle


def one_after_the_other(a: np.ndarray, b: np.ndarray, total: np.ndarray) -> np.ndarray:
    """`ieee` products: a chain of fused multiplications and additions for each element, on CUDA cores."""
    for column, row in zip(a.T.astype(np.float64), b.astype(np.float64), strict=True):
        total = (total + np.outer(column, row)).astype(np.float32)
    return total


def in_three_products(a: np.ndarray, b: np.ndarray, total: np.ndarray) -> np.ndarray:
    """`tf32x3` products: of the first 11 and the next 11 bits of each number, but not of both rests."""
    a_first, b_first = to_tf32(a), to_tf32(b)
    a_rest, b_rest = to_tf32(a - a_first), to_tf32(b - b_first)
    return total + (a_rest @ b_first + a_first @ b_rest + a_first @ b_first)


def to_tf32(numbers: np.ndarray) -> np.ndarray:
    """The numbers without the 13 bits of a float32 that a TensorFloat-32 does not have."""
    return (np.ascontiguousarray(numbers).view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32)


def create_dot(
    _: InterpreterBuilder, a: TensorHandle, b: TensorHandle, total: TensorHandle, precision: Any, *__: Any
) -> TensorHandle:
    multiply = {"IEEE": one_after_the_other, "TF32x3": in_three_products}[precision.name]
    return TensorHandle(multiply(a.data, b.data, total.data), total.dtype.scalar)


InterpreterBuilder.create_dot = create_dot
