"""Triton kernels of the soft assignment.

`triton_backend` describes how they work together, and what keeps them exact.
"""

from __future__ import annotations

import triton
import triton.language as tl

from .triton_steps import FACTORS, PRODUCTS, VALUES, add_weighted, exponentiate, multiply, read_entries, store_rows


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
        logits = multiply(q, q_last, rows, tokens, k, k_last, columns, size, E, E_BODY, True)
        logits = tl.where((columns < size)[None, :], logits, float("-inf"))
        places = tl.where(logits > found, start, places)
        found = tl.maximum(logits, found)
    best = tl.max(found, 1)
    places += tl.arange(0, STEP)[None, :]
    place = tl.min(tl.where(found == best[:, None], places, 2147483647), 1)
    place = tl.minimum(place, size - 1)  # where all is NaN, nothing equals the largest
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
    largest = read_entries(largest, rows, tokens)[:, None]
    total = tl.zeros([OWN, STEP], tl.float32)
    square = tl.zeros([OWN, STEP], tl.float32)
    body = tl.zeros([OWN, F_BODY], tl.float32)
    last = tl.zeros([OWN, STEP], tl.float32)
    for start in range(begin, tl.minimum(begin + length, size), STEP):
        columns = start + tl.arange(0, STEP)
        logits = multiply(q, q_last, rows, tokens, k, k_last, columns, size, E, E_BODY, True)
        e = tl.where((columns < size)[None, :], exponentiate(logits, largest, drop, DROPS), 0.0)
        total += e
        square = tl.fma(e, e, square)
        body, last = add_weighted(body, last, e, v_values, v_last, columns, size, F, F_BODY)
    stored = tl.program_id(1).to(tl.int64) * tokens + rows
    tl.store(totals + stored, tl.sum(total, 1), mask=rows < tokens)
    tl.store(squares + stored, tl.sum(square, 1), mask=rows < tokens)
    store_rows(weighted, stored, rows < tokens, body, tl.sum(last, 1), F, F_BODY)


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
        logits = multiply(k, k_last, columns, size, q, q_last, rows, tokens, E, E_BODY, False)
        e = exponentiate(logits, read_entries(largest, rows, tokens)[None, :], drop, DROPS)
        total = tl.fma(e, read_entries(scale, rows, tokens)[None, :], total)
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
    """The logit [N] of each token's code, rounded as in the other kernels: the diagonal of a tile of products."""
    rows = tl.program_id(0) * OWN + tl.arange(0, OWN)
    chosen = tl.load(codes + rows, mask=rows < tokens, other=0)
    logits = multiply(q, q_last, rows, tokens, k, k_last, chosen, size, E, E_BODY, True)
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
    largest = read_entries(largest, rows, tokens)[:, None]
    scale = read_entries(scale, rows, tokens)[:, None]
    centre = read_entries(centre, rows, tokens)[:, None]
    twice_s2 = read_entries(twice_s2, rows, tokens)[:, None]
    excess = tl.zeros([OWN, STEP], tl.float32)
    body = tl.zeros([OWN, E_BODY], tl.float32)
    last = tl.zeros([OWN, STEP], tl.float32)
    mean_body = tl.zeros([OWN, E_BODY], tl.float32)
    mean_last = tl.zeros([OWN, STEP], tl.float32)
    for start in range(begin, tl.minimum(begin + length, size), STEP):
        columns = start + tl.arange(0, STEP)
        logits = multiply(q, q_last, rows, tokens, k, k_last, columns, size, E, E_BODY, True)
        p = tl.where((columns < size)[None, :], exponentiate(logits, largest, drop, DROPS), 0.0) * scale
        r = multiply(grad_out, grad_out_last, rows, tokens, v, v_last, columns, size, F, F_BODY, True)
        r += read_entries(grad_usage, columns, size)[None, :] + twice_s2 * p - centre
        excess += p * r
        body, last = add_weighted(body, last, p * r, k_values, k_last, columns, size, E, E_BODY)
        mean_body, mean_last = add_weighted(mean_body, mean_last, p, k_values, k_last, columns, size, E, E_BODY)
    stored = tl.program_id(1).to(tl.int64) * tokens + rows
    tl.store(excesses + stored, tl.sum(excess, 1), mask=rows < tokens)
    store_rows(weighted, stored, rows < tokens, body, tl.sum(last, 1), E, E_BODY)
    store_rows(expected, stored, rows < tokens, mean_body, tl.sum(mean_last, 1), E, E_BODY)


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
    grad_usage = read_entries(grad_usage, columns, size)[:, None]
    dk_body = tl.zeros([OWN, E_BODY], tl.float32)
    dk_last = tl.zeros([OWN, STEP], tl.float32)
    dv_body = tl.zeros([OWN, F_BODY], tl.float32)
    dv_last = tl.zeros([OWN, STEP], tl.float32)
    for start in range(begin, tl.minimum(begin + length, tokens), STEP):
        rows = start + tl.arange(0, STEP)
        logits = multiply(k, k_last, columns, size, q, q_last, rows, tokens, E, E_BODY, False)
        e = exponentiate(logits, read_entries(largest, rows, tokens)[None, :], drop, DROPS)
        p = e * read_entries(scale, rows, tokens)[None, :]
        r = multiply(v, v_last, columns, size, grad_out, grad_out_last, rows, tokens, F, F_BODY, False)
        r += grad_usage + read_entries(twice_s2, rows, tokens)[None, :] * p - read_entries(shift, rows, tokens)[None, :]
        dk_body, dk_last = add_weighted(dk_body, dk_last, p * r, q_values, q_last, rows, tokens, E, E_BODY)
        dv_body, dv_last = add_weighted(dv_body, dv_last, p, grad_out_values, grad_out_last, rows, tokens, F, F_BODY)
    stored = tl.program_id(1).to(tl.int64) * size + columns
    store_rows(dk, stored, columns < size, dk_body, tl.sum(dk_last, 1), E, E_BODY)
    store_rows(dv, stored, columns < size, dv_body, tl.sum(dv_last, 1), F, F_BODY)
