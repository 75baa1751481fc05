"""What do the programs of the soft assignment do on a GPU, each with the tokens or codes that it owns?

How they work together, and what keeps them exact, stands in `triton_backend`.
"""

from __future__ import annotations

import triton
import triton.language as tl

from . import tiled

PARTS = tl.constexpr(3)
"""Numbers of bfloat16 that a float32 is cut into."""

PRODUCTS = tl.constexpr(6)
"""Of the nine products of two numbers' parts, those that float32 would notice."""

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


@triton.jit(do_not_specialize=["count"])
def cut(
    table: tl.tensor,
    factors: tl.tensor,
    values: tl.tensor,
    count: tl.tensor,
    WIDTH: tl.constexpr,
    BODY: tl.constexpr,
    OF_TOKENS: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
) -> None:
    """Fill in a _Table: factors so that the smallest summands of a product come first."""
    rows = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    columns = tl.arange(0, COLUMNS)[None, :]
    inside = (rows < count)[:, None] & (columns < WIDTH)
    rest = tl.load(table + rows[:, None] * WIDTH + columns, mask=inside, other=0.0)
    part_0 = rest.to(tl.bfloat16)
    rest -= part_0.to(tl.float32)
    part_1 = rest.to(tl.bfloat16)
    part_2 = (rest - part_1.to(tl.float32)).to(tl.bfloat16)
    if PRODUCTS * WIDTH <= FACTORS:
        places = factors + rows[:, None] * FACTORS + columns
        tl.store(places, part_2 if OF_TOKENS else part_0, mask=inside)
        tl.store(places + WIDTH, part_0 if OF_TOKENS else part_2, mask=inside)
        tl.store(places + 2 * WIDTH, part_1, mask=inside)
        tl.store(places + 3 * WIDTH, part_1 if OF_TOKENS else part_0, mask=inside)
        tl.store(places + 4 * WIDTH, part_0 if OF_TOKENS else part_1, mask=inside)
        tl.store(places + 5 * WIDTH, part_0, mask=inside)
        places = values + rows[:, None] * VALUES + columns
        tl.store(places, part_0, mask=inside)
        tl.store(places + WIDTH, part_1, mask=inside)
        tl.store(places + 2 * WIDTH, part_2, mask=inside)
    else:
        inside = inside & (columns < BODY)
        places = values + rows[:, None] * BODY + columns
        further = count.to(tl.int64) * BODY
        tl.store(places, part_0, mask=inside)
        tl.store(places + further, part_1, mask=inside)
        tl.store(places + 2 * further, part_2, mask=inside)


@triton.jit
def _rows(
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
def _factors_across(table: tl.tensor, rows: tl.tensor, count: tl.tensor) -> tl.tensor:
    """The factors of rows of a narrow table, transposed: loaded as such, the next step's come during this one."""
    places = rows.to(tl.int64)[None, :] * FACTORS + tl.arange(0, FACTORS)[:, None]
    return tl.load(table + places, mask=(rows < count)[None, :], other=0.0)


@triton.jit
def _entries(vector: tl.tensor, rows: tl.tensor, count: tl.tensor) -> tl.tensor:
    return tl.load(vector + rows, mask=rows < count, other=0.0)


@triton.jit
def _products(
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
        left = _rows(a, 0, a_rows.to(tl.int64), a_count, 0, FACTORS, FACTORS)
        return tl.dot(left, _factors_across(b, b_rows, b_count))
    products = tl.zeros([a_rows.shape[0], b_rows.shape[0]], tl.float32)
    if BODY <= SLICE:
        products = _six_products(products, a, a_rows, a_count, b, b_rows, b_count, 0, BODY, BODY, OF_TOKENS)
    else:
        for first in range(0, BODY, SLICE):
            products = _six_products(products, a, a_rows, a_count, b, b_rows, b_count, first, BODY, SLICE, OF_TOKENS)
    if WIDTH > BODY:
        ends = _entries(a_last, a_rows, a_count)[:, None], _entries(b_last, b_rows, b_count)[None, :]
        products = tl.fma(ends[0], ends[1], products)
    return products


@triton.jit
def _six_products(
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
    a_0 = _rows(a, 0 * a_start, a_rows, a_count, first, BODY, COLUMNS)
    a_1 = _rows(a, a_start, a_rows, a_count, first, BODY, COLUMNS)
    a_2 = _rows(a, 2 * a_start, a_rows, a_count, first, BODY, COLUMNS)
    b_0 = tl.trans(_rows(b, 0 * b_start, b_rows, b_count, first, BODY, COLUMNS))
    b_1 = tl.trans(_rows(b, b_start, b_rows, b_count, first, BODY, COLUMNS))
    b_2 = tl.trans(_rows(b, 2 * b_start, b_rows, b_count, first, BODY, COLUMNS))
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
def _exponentials(logits: tl.tensor, largest: tl.tensor, drop: tl.tensor, DROPS: tl.constexpr) -> tl.tensor:
    """exp(S − m), but zero where that is under `drop`."""
    exponentials = tl.exp2(tl.maximum(logits - largest, SMALLEST_EXPONENT) * LOG2_E)
    if DROPS:
        exponentials = tl.where(exponentials >= drop, exponentials, 0.0)
    return exponentials


@triton.jit
def _first_bits(numbers: tl.tensor) -> tl.tensor:
    """The numbers without the bits that bfloat16 does not have. To round them would take a GPU eight times as long."""
    return (numbers.to(tl.int32, bitcast=True) & -65536).to(tl.float32, bitcast=True)


@triton.jit
def _shortened(numbers: tl.tensor) -> tl.tensor:
    """The first bits as bfloat16."""
    return (numbers.to(tl.int32, bitcast=True) >> 16).to(tl.int16).to(tl.bfloat16, bitcast=True)


@triton.jit
def _add_weighted(
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
    weights_0 = _first_bits(weights)
    rest = weights - weights_0
    weights_1 = _first_bits(rest)
    weights_0, weights_1, weights_2 = _shortened(weights_0), _shortened(weights_1), _shortened(rest - weights_1)
    if PRODUCTS * WIDTH <= FACTORS:
        parts = _rows(table, 0, rows.to(tl.int64), count, 0, VALUES, VALUES)
        step = tl.dot(weights_2, parts)
        step = tl.dot(weights_1, parts, step)
        return body + tl.dot(weights_0, parts, step), last
    start = count.to(tl.int64)
    table_0 = _rows(table, 0 * start, rows, count, 0, BODY, BODY)
    table_1 = _rows(table, start, rows, count, 0, BODY, BODY)
    table_2 = _rows(table, 2 * start, rows, count, 0, BODY, BODY)
    step = tl.dot(weights_2, table_0)
    step = tl.dot(weights_0, table_2, step)
    step = tl.dot(weights_1, table_1, step)
    step = tl.dot(weights_1, table_0, step)
    step = tl.dot(weights_0, table_1, step)
    step = tl.dot(weights_0, table_0, step)
    if WIDTH > BODY:
        last = tl.fma(weights, _entries(table_last, rows, count)[None, :], last)
    return body + step, last


@triton.jit
def _store(
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


@triton.jit(do_not_specialize=["tokens", "size", "length"])
def find_largest(
    q: tl.tensor,
    q_values: tl.tensor,
    q_last: tl.tensor,
    k: tl.tensor,
    k_values: tl.tensor,
    k_last: tl.tensor,
    largest: tl.tensor,
    codes: tl.tensor,
    tokens: tl.tensor,
    size: tl.tensor,
    length: tl.tensor,
    E: tl.constexpr,
    E_BODY: tl.constexpr,
    OWN: tl.constexpr,
    STEP: tl.constexpr,
) -> None:
    """The largest logit of each token in each part [parts, N], and the lowest code that has it."""
    rows = tl.program_id(0) * OWN + tl.arange(0, OWN)
    begin = tl.program_id(1) * length
    found = tl.full([OWN, STEP], float("-inf"), tl.float32)
    places = tl.zeros([OWN, STEP], tl.int32)
    for start in range(begin, tl.minimum(begin + length, size), STEP):
        columns = start + tl.arange(0, STEP)
        logits = _products(q, q_last, rows, tokens, k, k_last, columns, size, E, E_BODY, True)
        logits = tl.where((columns < size)[None, :], logits, float("-inf"))
        places = tl.where(logits > found, start, places)
        found = tl.maximum(logits, found)
    best = tl.max(found, 1)
    places += tl.arange(0, STEP)[None, :]
    place = tl.min(tl.where(found == best[:, None], places, 2147483647), 1)
    stored = tl.program_id(1).to(tl.int64) * tokens + rows
    tl.store(largest + stored, best, mask=rows < tokens)
    tl.store(codes + stored, place, mask=rows < tokens)


@triton.jit(do_not_specialize=["tokens", "size", "length"])
def sum_over_codes(
    q: tl.tensor,
    q_values: tl.tensor,
    q_last: tl.tensor,
    k: tl.tensor,
    k_values: tl.tensor,
    k_last: tl.tensor,
    v: tl.tensor,
    v_values: tl.tensor,
    v_last: tl.tensor,
    largest: tl.tensor,
    totals: tl.tensor,
    squares: tl.tensor,
    weighted: tl.tensor,
    tokens: tl.tensor,
    size: tl.tensor,
    drop: tl.tensor,
    DROPS: tl.constexpr,
    length: tl.tensor,
    E: tl.constexpr,
    E_BODY: tl.constexpr,
    F: tl.constexpr,
    F_BODY: tl.constexpr,
    OWN: tl.constexpr,
    STEP: tl.constexpr,
) -> None:
    """Σ_k e and Σ_k e² [parts, N], and Σ_k e v [parts, N, F], with e = exp(S − m)."""
    rows = tl.program_id(0) * OWN + tl.arange(0, OWN)
    begin = tl.program_id(1) * length
    largest = _entries(largest, rows, tokens)[:, None]
    total = tl.zeros([OWN, STEP], tl.float32)
    square = tl.zeros([OWN, STEP], tl.float32)
    body = tl.zeros([OWN, F_BODY], tl.float32)
    last = tl.zeros([OWN, STEP], tl.float32)
    for start in range(begin, tl.minimum(begin + length, size), STEP):
        columns = start + tl.arange(0, STEP)
        logits = _products(q, q_last, rows, tokens, k, k_last, columns, size, E, E_BODY, True)
        e = tl.where((columns < size)[None, :], _exponentials(logits, largest, drop, DROPS), 0.0)
        total += e
        square = tl.fma(e, e, square)
        body, last = _add_weighted(body, last, e, v_values, v_last, columns, size, F, F_BODY)
    stored = tl.program_id(1).to(tl.int64) * tokens + rows
    tl.store(totals + stored, tl.sum(total, 1), mask=rows < tokens)
    tl.store(squares + stored, tl.sum(square, 1), mask=rows < tokens)
    _store(weighted, stored, rows < tokens, body, tl.sum(last, 1), F, F_BODY)


@triton.jit(do_not_specialize=["tokens", "size", "length"])
def sum_over_tokens(
    q: tl.tensor,
    q_values: tl.tensor,
    q_last: tl.tensor,
    k: tl.tensor,
    k_values: tl.tensor,
    k_last: tl.tensor,
    largest: tl.tensor,
    scale: tl.tensor,
    usage: tl.tensor,
    tokens: tl.tensor,
    size: tl.tensor,
    drop: tl.tensor,
    DROPS: tl.constexpr,
    length: tl.tensor,
    E: tl.constexpr,
    E_BODY: tl.constexpr,
    OWN: tl.constexpr,
    STEP: tl.constexpr,
) -> None:
    """Σ_n P [parts, K], with P = exp(S − m) · scale, which is zero beyond the last token."""
    columns = tl.program_id(0) * OWN + tl.arange(0, OWN)
    begin = tl.program_id(1) * length
    total = tl.zeros([OWN, STEP], tl.float32)
    for start in range(begin, tl.minimum(begin + length, tokens), STEP):
        rows = start + tl.arange(0, STEP)
        logits = _products(k, k_last, columns, size, q, q_last, rows, tokens, E, E_BODY, False)
        e = _exponentials(logits, _entries(largest, rows, tokens)[None, :], drop, DROPS)
        total = tl.fma(e, _entries(scale, rows, tokens)[None, :], total)
    stored = tl.program_id(1).to(tl.int64) * size + columns
    tl.store(usage + stored, tl.sum(total, 1), mask=columns < size)


@triton.jit(do_not_specialize=["tokens", "size"])
def largest_again(
    q: tl.tensor,
    q_values: tl.tensor,
    q_last: tl.tensor,
    k: tl.tensor,
    k_values: tl.tensor,
    k_last: tl.tensor,
    codes: tl.tensor,
    largest: tl.tensor,
    tokens: tl.tensor,
    size: tl.tensor,
    E: tl.constexpr,
    E_BODY: tl.constexpr,
    OWN: tl.constexpr,
) -> None:
    """The logit [N] of each token's code, as the other kernels round it: the diagonal of a tile of products."""
    rows = tl.program_id(0) * OWN + tl.arange(0, OWN)
    chosen = tl.load(codes + rows, mask=rows < tokens, other=0)
    logits = _products(q, q_last, rows, tokens, k, k_last, chosen, size, E, E_BODY, True)
    diagonal = rows[:, None] == rows[None, :]
    tl.store(largest + rows, tl.sum(tl.where(diagonal, logits, 0.0), 1), mask=rows < tokens)


@triton.jit(do_not_specialize=["tokens", "size", "length"])
def token_gradients(
    q: tl.tensor,
    q_values: tl.tensor,
    q_last: tl.tensor,
    k: tl.tensor,
    k_values: tl.tensor,
    k_last: tl.tensor,
    v: tl.tensor,
    v_values: tl.tensor,
    v_last: tl.tensor,
    grad_out: tl.tensor,
    grad_out_values: tl.tensor,
    grad_out_last: tl.tensor,
    largest: tl.tensor,
    scale: tl.tensor,
    centre: tl.tensor,
    twice_s2: tl.tensor,
    grad_usage: tl.tensor,
    weighted: tl.tensor,
    expected: tl.tensor,
    excesses: tl.tensor,
    tokens: tl.tensor,
    size: tl.tensor,
    drop: tl.tensor,
    DROPS: tl.constexpr,
    length: tl.tensor,
    E: tl.constexpr,
    E_BODY: tl.constexpr,
    F: tl.constexpr,
    F_BODY: tl.constexpr,
    OWN: tl.constexpr,
    STEP: tl.constexpr,
) -> None:
    """Σ_k P R' k and Σ_k P k [parts, N, E], and Σ_k P R' [parts, N], with R' = R − centre."""
    rows = tl.program_id(0) * OWN + tl.arange(0, OWN)
    begin = tl.program_id(1) * length
    largest = _entries(largest, rows, tokens)[:, None]
    scale = _entries(scale, rows, tokens)[:, None]
    centre = _entries(centre, rows, tokens)[:, None]
    twice_s2 = _entries(twice_s2, rows, tokens)[:, None]
    excess = tl.zeros([OWN, STEP], tl.float32)
    body = tl.zeros([OWN, E_BODY], tl.float32)
    last = tl.zeros([OWN, STEP], tl.float32)
    expected_body = tl.zeros([OWN, E_BODY], tl.float32)
    expected_last = tl.zeros([OWN, STEP], tl.float32)
    for start in range(begin, tl.minimum(begin + length, size), STEP):
        columns = start + tl.arange(0, STEP)
        logits = _products(q, q_last, rows, tokens, k, k_last, columns, size, E, E_BODY, True)
        p = tl.where((columns < size)[None, :], _exponentials(logits, largest, drop, DROPS), 0.0) * scale
        r = _products(grad_out, grad_out_last, rows, tokens, v, v_last, columns, size, F, F_BODY, True)
        r += _entries(grad_usage, columns, size)[None, :] + twice_s2 * p - centre
        excess += p * r
        body, last = _add_weighted(body, last, p * r, k_values, k_last, columns, size, E, E_BODY)
        expected_body, expected_last = _add_weighted(
            expected_body, expected_last, p, k_values, k_last, columns, size, E, E_BODY
        )
    stored = tl.program_id(1).to(tl.int64) * tokens + rows
    tl.store(excesses + stored, tl.sum(excess, 1), mask=rows < tokens)
    _store(weighted, stored, rows < tokens, body, tl.sum(last, 1), E, E_BODY)
    _store(expected, stored, rows < tokens, expected_body, tl.sum(expected_last, 1), E, E_BODY)


@triton.jit(do_not_specialize=["tokens", "size", "length"])
def code_gradients(
    q: tl.tensor,
    q_values: tl.tensor,
    q_last: tl.tensor,
    k: tl.tensor,
    k_values: tl.tensor,
    k_last: tl.tensor,
    v: tl.tensor,
    v_values: tl.tensor,
    v_last: tl.tensor,
    grad_out: tl.tensor,
    grad_out_values: tl.tensor,
    grad_out_last: tl.tensor,
    largest: tl.tensor,
    scale: tl.tensor,
    shift: tl.tensor,
    twice_s2: tl.tensor,
    grad_usage: tl.tensor,
    dk: tl.tensor,
    dv: tl.tensor,
    tokens: tl.tensor,
    size: tl.tensor,
    drop: tl.tensor,
    DROPS: tl.constexpr,
    length: tl.tensor,
    E: tl.constexpr,
    E_BODY: tl.constexpr,
    F: tl.constexpr,
    F_BODY: tl.constexpr,
    OWN: tl.constexpr,
    STEP: tl.constexpr,
) -> None:
    """dk = Σ_n dS q [parts, K, E] and dv = Σ_n P G [parts, K, F], with dS = P (R − shift)."""
    columns = tl.program_id(0) * OWN + tl.arange(0, OWN)
    begin = tl.program_id(1) * length
    grad_usage = _entries(grad_usage, columns, size)[:, None]
    dk_body = tl.zeros([OWN, E_BODY], tl.float32)
    dk_last = tl.zeros([OWN, STEP], tl.float32)
    dv_body = tl.zeros([OWN, F_BODY], tl.float32)
    dv_last = tl.zeros([OWN, STEP], tl.float32)
    for start in range(begin, tl.minimum(begin + length, tokens), STEP):
        rows = start + tl.arange(0, STEP)
        logits = _products(k, k_last, columns, size, q, q_last, rows, tokens, E, E_BODY, False)
        e = _exponentials(logits, _entries(largest, rows, tokens)[None, :], drop, DROPS)
        p = e * _entries(scale, rows, tokens)[None, :]
        r = _products(v, v_last, columns, size, grad_out, grad_out_last, rows, tokens, F, F_BODY, False)
        r += grad_usage + _entries(twice_s2, rows, tokens)[None, :] * p - _entries(shift, rows, tokens)[None, :]
        dk_body, dk_last = _add_weighted(dk_body, dk_last, p * r, q_values, q_last, rows, tokens, E, E_BODY)
        dv_body, dv_last = _add_weighted(dv_body, dv_last, p, grad_out_values, grad_out_last, rows, tokens, F, F_BODY)
    stored = tl.program_id(1).to(tl.int64) * size + columns
    _store(dk, stored, columns < size, dk_body, tl.sum(dk_last, 1), E, E_BODY)
    _store(dv, stored, columns < size, dv_body, tl.sum(dv_last, 1), F, F_BODY)
