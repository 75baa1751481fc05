"""Steps that the Triton kernels of the soft assignment share: reading, multiplying and adding up parts of tables."""

from __future__ import annotations

import triton
import triton.language as tl

from . import tiled

PARTS = tl.constexpr(3)
"""The number of bfloat16 parts of a float32."""

PRODUCTS = tl.constexpr(6)
"""The number of products of two numbers' parts (of nine) that matter in float32."""

FACTORS = tl.constexpr(128)
"""Columns for all factors of a narrow table, which are multiplied at one go. Narrow is a table whose factors fit."""

VALUES = tl.constexpr(64)
"""Columns for the parts of a narrow table beside one another."""

SLICE = tl.constexpr(64)
"""Columns of two other tables that are multiplied at once: the operands of more do not fit into shared memory."""

SMALLEST_EXPONENT = tl.constexpr(tiled.SMALLEST_EXPONENT)
"""Subnormal numbers cost a GPU nothing: the bound is here so that unused codes have the same usage as on a CPU."""

LOG2_E = tl.constexpr(tiled.LOG2_E)
"""eˣ is 2 to the power of x log₂e, which takes a GPU two instructions, and eˣ as such six."""


@triton.jit
def read_rows(
    table: tl.tensor,
    start: tl.tensor,
    rows: tl.tensor,
    count: tl.tensor,
    first: tl.tensor,
    WIDTH: tl.constexpr,
    COLUMNS: tl.constexpr,
) -> tl.tensor:
    """[rows, COLUMNS] of a table [count, WIDTH] at `start`, from column `first` on; zeros beyond its rows."""
    places = (start + rows)[:, None] * WIDTH + (first + tl.arange(0, COLUMNS))[None, :]
    return tl.load(table + places, mask=(rows < count)[:, None], other=0.0)


@triton.jit
def read_factors(table: tl.tensor, rows: tl.tensor, count: tl.tensor) -> tl.tensor:
    """The factors of rows of a narrow table, transposed: loaded as such, the next step's come during this one."""
    places = rows.to(tl.int64)[None, :] * FACTORS + tl.arange(0, FACTORS)[:, None]
    return tl.load(table + places, mask=(rows < count)[None, :], other=0.0)


@triton.jit
def read_entries(vector: tl.tensor, rows: tl.tensor, count: tl.tensor) -> tl.tensor:
    return tl.load(vector + rows, mask=rows < count, other=0.0)


@triton.jit
def multiply(
    a: tl.tensor,
    a_last: tl.tensor,
    a_rows: tl.tensor,
    a_count: tl.tensor,
    b: tl.tensor,
    b_last: tl.tensor,
    b_rows: tl.tensor,
    b_count: tl.tensor,
    WIDTH: tl.constexpr,
    BODY: tl.constexpr,
    OF_TOKENS: tl.constexpr,
) -> tl.tensor:
    """Inner products of rows of two tables: one for each pair of a row of a and one of b, to the bit that of b and a.

    OF_TOKENS: whether a is the table of the tokens, whose parts are taken in the same order in both cases.
    """
    if PRODUCTS * WIDTH <= FACTORS:
        left = read_rows(a, 0, a_rows.to(tl.int64), a_count, 0, FACTORS, FACTORS)
        return tl.dot(left, read_factors(b, b_rows, b_count))
    products = tl.zeros([a_rows.shape[0], b_rows.shape[0]], tl.float32)
    if BODY <= SLICE:
        products = multiply_parts(products, a, a_rows, a_count, b, b_rows, b_count, 0, BODY, BODY, OF_TOKENS)
    else:
        for first in range(0, BODY, SLICE):
            products = multiply_parts(products, a, a_rows, a_count, b, b_rows, b_count, first, BODY, SLICE, OF_TOKENS)
    if WIDTH > BODY:
        ends = read_entries(a_last, a_rows, a_count)[:, None], read_entries(b_last, b_rows, b_count)[None, :]
        products = tl.fma(ends[0], ends[1], products)
    return products


@triton.jit
def multiply_parts(
    products: tl.tensor,
    a: tl.tensor,
    a_rows: tl.tensor,
    a_count: tl.tensor,
    b: tl.tensor,
    b_rows: tl.tensor,
    b_count: tl.tensor,
    first: tl.tensor,
    BODY: tl.constexpr,
    COLUMNS: tl.constexpr,
    OF_TOKENS: tl.constexpr,
) -> tl.tensor:
    a_start, b_start = a_count.to(tl.int64), b_count.to(tl.int64)
    a_0 = read_rows(a, 0 * a_start, a_rows, a_count, first, BODY, COLUMNS)
    a_1 = read_rows(a, a_start, a_rows, a_count, first, BODY, COLUMNS)
    a_2 = read_rows(a, 2 * a_start, a_rows, a_count, first, BODY, COLUMNS)
    b_0 = tl.trans(read_rows(b, 0 * b_start, b_rows, b_count, first, BODY, COLUMNS))
    b_1 = tl.trans(read_rows(b, b_start, b_rows, b_count, first, BODY, COLUMNS))
    b_2 = tl.trans(read_rows(b, 2 * b_start, b_rows, b_count, first, BODY, COLUMNS))
    if OF_TOKENS:
        products = tl.dot(a_2, b_0, products)
        products = tl.dot(a_0, b_2, products)
        products = tl.dot(a_1, b_1, products)
        products = tl.dot(a_1, b_0, products)
        products = tl.dot(a_0, b_1, products)
    else:
        products = tl.dot(a_0, b_2, products)
        products = tl.dot(a_2, b_0, products)
        products = tl.dot(a_1, b_1, products)
        products = tl.dot(a_0, b_1, products)
        products = tl.dot(a_1, b_0, products)
    return tl.dot(a_0, b_0, products)


@triton.jit
def exponentiate(logits: tl.tensor, largest: tl.tensor, drop: tl.tensor, DROPS: tl.constexpr) -> tl.tensor:
    """exp(S − m), but zero where that is under `drop`."""
    exponentials = tl.exp2(tl.maximum(logits - largest, SMALLEST_EXPONENT) * LOG2_E)
    if DROPS:
        exponentials = tl.where(exponentials >= drop, exponentials, 0.0)
    return exponentials


@triton.jit
def keep_first_bits(numbers: tl.tensor) -> tl.tensor:
    """The numbers without the bits that bfloat16 does not have. To round them would take a GPU eight times as long."""
    return (numbers.to(tl.int32, bitcast=True) & -65536).to(tl.float32, bitcast=True)


@triton.jit
def shorten(numbers: tl.tensor) -> tl.tensor:
    """The first bits as bfloat16."""
    return (numbers.to(tl.int32, bitcast=True) >> 16).to(tl.int16).to(tl.bfloat16, bitcast=True)


@triton.jit
def add_weighted(
    body: tl.tensor,
    last: tl.tensor,
    weights: tl.tensor,
    table: tl.tensor,
    table_last: tl.tensor,
    rows: tl.tensor,
    count: tl.tensor,
    WIDTH: tl.constexpr,
    BODY: tl.constexpr,
) -> tuple[tl.tensor, tl.tensor]:
    """`body` with the weighted rows of a table added, and `last` with the summands of its last column."""
    weights_0 = keep_first_bits(weights)
    rest = weights - weights_0
    weights_1 = keep_first_bits(rest)
    weights_0, weights_1, weights_2 = shorten(weights_0), shorten(weights_1), shorten(rest - weights_1)
    if PRODUCTS * WIDTH <= FACTORS:
        parts = read_rows(table, 0, rows.to(tl.int64), count, 0, VALUES, VALUES)
        step = tl.dot(weights_2, parts)
        step = tl.dot(weights_1, parts, step)
        return body + tl.dot(weights_0, parts, step), last
    start = count.to(tl.int64)
    table_0 = read_rows(table, 0 * start, rows, count, 0, BODY, BODY)
    table_1 = read_rows(table, start, rows, count, 0, BODY, BODY)
    table_2 = read_rows(table, 2 * start, rows, count, 0, BODY, BODY)
    step = tl.dot(weights_2, table_0)
    step = tl.dot(weights_0, table_2, step)
    step = tl.dot(weights_1, table_1, step)
    step = tl.dot(weights_1, table_0, step)
    step = tl.dot(weights_0, table_1, step)
    step = tl.dot(weights_0, table_0, step)
    if WIDTH > BODY:
        last = tl.fma(weights, read_entries(table_last, rows, count)[None, :], last)
    return body + step, last


@triton.jit
def store_rows(
    table: tl.tensor,
    rows: tl.tensor,
    inside: tl.tensor,
    body: tl.tensor,
    last: tl.tensor,
    WIDTH: tl.constexpr,
    BODY: tl.constexpr,
) -> None:
    columns = tl.arange(0, BODY)
    if PRODUCTS * WIDTH <= FACTORS:
        tl.store(table + rows[:, None] * VALUES + columns[None, :], body, mask=inside[:, None])
    else:
        mask = inside[:, None] & (columns < WIDTH)[None, :]
        tl.store(table + rows[:, None] * WIDTH + columns[None, :], body, mask=mask)
        if WIDTH > BODY:
            tl.store(table + rows * WIDTH + BODY, last, mask=inside)
