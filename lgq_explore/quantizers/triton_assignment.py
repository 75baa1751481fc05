"""How is the exact soft assignment computed on a GPU, in memory that grows with N + K?

Formulas and names are those of `soft_assignment`. A program owns some tokens (or codes) and walks over the codes (or
tokens) a few at a time, so that one tile of logits a program is all that ever exists of the N×K table:

    _find_largest      tokens over codes    m = max_k S, and the codes
    _sum_over_codes    tokens over codes    Σ_k e, Σ_k e² and Σ_k e v, where e = exp(S − m)
    _sum_over_tokens   codes over tokens    usage
    _token_gradients   tokens over codes    dq
    _code_gradients    codes over tokens    dk and dv

Where what is owned makes too few programs to keep a GPU busy, the walk is cut into parts, whose sums are added
afterwards. Nothing is added atomically: the same input gives the same bits.

Three choices keep float32 exact enough for small temperatures, where logits reach 10⁴ and their rounding 10⁻³:

- Logits are float32 sums in one order ("ieee"), so that every kernel sees the same ones to the bit and the codes are
  those of float32. What is multiplied with P is less sensitive: "tf32x3", three products of TensorFloat-32 on tensor
  cores, has a relative error of 2⁻²¹.
- P is exp(S − m) exp(m − lse), not exp(S − lse): so it is 1 where one code takes all, however lse was rounded.
- dq = Σ_k P R' k − (Σ_k P R' − f) Σ_k P k takes a single walk, and with R' = R − G·out − 2 a s2 it leaves little to
  cancel. The row sums Σ_k P R' are those of the very numbers that dq sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from . import tiled_assignment
from .assignment import InputGradients, OutputGradients, SoftAssignment

LOGITS = tl.constexpr("ieee")
VALUES = tl.constexpr("tf32x3")
"""Precision of the logits, and of all other products."""

SLICE = tl.constexpr(16)
"""Columns of two tables that are multiplied at once: the operands of more do not fit into registers."""

SMALLEST_EXPONENT = tl.constexpr(tiled_assignment.SMALLEST_EXPONENT)
"""Subnormal numbers cost a GPU nothing: the bound is here so that unused codes have the same usage as on a CPU."""

STEP = 32
"""Tokens or codes that a program walks over at a time."""

FEWEST_STEPS = 4
"""Steps in a part of a walk, at least: fewer don't pay for a program's start and for adding its sums."""

PROGRAMS = 512
"""Programs to cut walks for: a few for each multiprocessor of the largest GPUs. A constant, so that every GPU adds in
the same order."""

COMPILER_OPTIONS = {"num_warps": 8, "num_stages": 2, "enable_fp_fusion": True}


@torch.no_grad()
def assign(q: Tensor, k: Tensor, v: Tensor, drop: float) -> SoftAssignment:
    """The soft assignment of q [N, E] to k [K, E] with values v [K, F], all float32 and on one CUDA device."""
    q, k, v = q.contiguous(), k.contiguous(), v.contiguous()
    problem = _Problem(len(q), len(k), q.shape[1], v.shape[1], drop)
    of_tokens, of_codes = problem.walk_of_tokens(), problem.walk_of_codes()
    with torch.cuda.device_of(q):
        maxima = q.new_empty(of_tokens.parts, len(q))
        places = torch.empty_like(maxima, dtype=torch.int32)
        of_tokens.start(_find_largest, q, k, maxima, places)
        largest, part = maxima.max(0)  # of equals the first, so that the lowest code wins
        codes = places.gather(0, part[None])[0].long()

        totals, squares = torch.empty_like(maxima), torch.empty_like(maxima)
        weighted = q.new_empty(of_tokens.parts, len(q), v.shape[1])
        of_tokens.start(_sum_over_codes, q, k, v, largest, totals, squares, weighted)
        total = totals.sum(0)

        usage = q.new_empty(of_codes.parts, len(k))
        of_codes.start(_sum_over_tokens, q, k, largest, 1 / total, usage)
    return SoftAssignment(
        out=weighted.sum(0) / total[:, None],
        lse=largest + total.log(),
        s2=squares.sum(0) / total.square(),
        usage=usage.sum(0) / len(q),
        codes=codes,
    )


@torch.no_grad()
def gradients(
    q: Tensor, k: Tensor, v: Tensor, assignment: SoftAssignment, upstream: OutputGradients, drop: float
) -> InputGradients:
    """The gradients in q, k and v, from those in what `assign` gave for them."""
    q, k, v, grad_out = q.contiguous(), k.contiguous(), v.contiguous(), upstream.out.contiguous()
    problem = _Problem(len(q), len(k), q.shape[1], v.shape[1], drop)
    of_tokens, of_codes = problem.walk_of_tokens(), problem.walk_of_codes()
    grad_usage, twice_s2 = upstream.usage / len(q), 2 * upstream.s2
    centre = (grad_out * assignment.out).sum(1) + twice_s2 * assignment.s2
    with torch.cuda.device_of(q):
        largest = torch.empty_like(assignment.lse)
        problem.chosen_by_tokens().start(_largest_again, q, k, assignment.codes, largest)
        scale = torch.exp(largest - assignment.lse)

        weighted, expected = (q.new_empty(of_tokens.parts, *q.shape) for _ in range(2))
        excesses = q.new_empty(of_tokens.parts, len(q))
        per_token = (largest, scale, centre, twice_s2)
        of_tokens.start(_token_gradients, q, k, v, grad_out, *per_token, grad_usage, weighted, expected, excesses)
        excess = excesses.sum(0) - upstream.lse
        dq = weighted.sum(0) - excess[:, None] * expected.sum(0)

        dk, dv = k.new_empty(of_codes.parts, *k.shape), v.new_empty(of_codes.parts, *v.shape)
        per_token = (largest, scale, centre + excess, twice_s2)
        of_codes.start(_code_gradients, q, k, v, grad_out, *per_token, grad_usage, dk, dv)
    return InputGradients(dq, dk.sum(0), dv.sum(0))


@dataclass(frozen=True)
class _Problem:
    """The sizes of q [tokens, e], k [size, e] and v [size, f], and under which share of the largest a code counts 0."""

    tokens: int
    size: int
    e: int
    f: int
    drop: float

    def walk_of_tokens(self) -> _Walk:
        return self._walk(self.tokens, self.size)

    def walk_of_codes(self) -> _Walk:
        return self._walk(self.size, self.tokens)

    def chosen_by_tokens(self) -> _Walk:
        """No walk at all: STEP tokens a program, each with a single code."""
        return _Walk(triton.cdiv(self.tokens, STEP), 1, {**self._numbers(), "OWN": STEP})

    def _walk(self, owned: int, other: int) -> _Walk:
        own = 128 if max(_body(self.e), _body(self.f)) <= 64 else 64  # as many as registers hold the sums of
        programs, steps = triton.cdiv(owned, own), triton.cdiv(other, STEP)
        parts = max(1, min(PROGRAMS // programs, steps // FEWEST_STEPS))
        length = triton.cdiv(steps, parts) * STEP
        numbers = {**self._numbers(), "length": length, "OWN": own, "STEP": STEP}
        return _Walk(programs, triton.cdiv(other, length), numbers)

    def _numbers(self) -> dict[str, float]:
        columns = {"E": self.e, "E_BODY": _body(self.e), "F": self.f, "F_BODY": _body(self.f)}
        return {"tokens": self.tokens, "size": self.size, "drop": self.drop, **columns}


def _body(width: int) -> int:
    """Columns that a tile holds: a power of two, from 16 on, that leaves out one of them at most.

    Centres of 2ⁿ dimensions have their squared norm as one column more, which is cheaper by itself than a tile of
    twice the columns.
    """
    power = max(16, 1 << (width.bit_length() - 1))
    return power if width <= power + 1 else 2 * power


@dataclass(frozen=True)
class _Walk:
    """Programs that own OWN tokens (or codes) each, and walk over `length` codes (or tokens) in each of the parts."""

    programs: int
    parts: int
    numbers: dict[str, float]

    def start(self, kernel: Any, *tensors: Tensor) -> None:
        """Start a kernel with the tensors, and with those of the numbers that it has a parameter for."""
        named = {name: self.numbers[name] for name in kernel.arg_names if name in self.numbers}
        kernel[self.programs, self.parts](*tensors, **named, **COMPILER_OPTIONS)


@triton.jit
def _tile(
    table: tl.tensor, rows: tl.tensor, count: tl.tensor, first: tl.tensor, WIDTH: tl.constexpr, COLUMNS: tl.constexpr
) -> tl.tensor:
    """The rows of a table [count, WIDTH], COLUMNS columns of them from `first` on; zeros beyond the table."""
    columns = first + tl.arange(0, COLUMNS)
    inside = (rows < count)[:, None] & (columns < WIDTH)[None, :]
    return tl.load(table + rows.to(tl.int64)[:, None] * WIDTH + columns[None, :], mask=inside, other=0.0)


@triton.jit
def _last_column(table: tl.tensor, rows: tl.tensor, count: tl.tensor, WIDTH: tl.constexpr) -> tl.tensor:
    return tl.load(table + rows.to(tl.int64) * WIDTH + (WIDTH - 1), mask=rows < count, other=0.0)


@triton.jit
def _entries(vector: tl.tensor, rows: tl.tensor, count: tl.tensor) -> tl.tensor:
    return tl.load(vector + rows, mask=rows < count, other=0.0)


@triton.jit
def _products(
    a: tl.tensor,
    a_rows: tl.tensor,
    a_count: tl.tensor,
    b: tl.tensor,
    b_rows: tl.tensor,
    b_count: tl.tensor,
    WIDTH: tl.constexpr,
    BODY: tl.constexpr,
    PRECISION: tl.constexpr,
) -> tl.tensor:
    """Inner products of rows of the tables a and b [count, WIDTH]: one for each pair of a row of a and one of b."""
    products = tl.zeros([a_rows.shape[0], b_rows.shape[0]], tl.float32)
    for first in range(0, BODY, SLICE):
        a_slice = _tile(a, a_rows, a_count, first, WIDTH, SLICE)
        b_slice = _tile(b, b_rows, b_count, first, WIDTH, SLICE)
        products = tl.dot(a_slice, tl.trans(b_slice), products, input_precision=PRECISION)
    if WIDTH > BODY:
        a_last = _last_column(a, a_rows, a_count, WIDTH)
        b_last = _last_column(b, b_rows, b_count, WIDTH)
        products = tl.fma(a_last[:, None], b_last[None, :], products)
    return products


@triton.jit
def _exponentials(logits: tl.tensor, largest: tl.tensor, inside: tl.tensor, drop: tl.tensor) -> tl.tensor:
    """exp(S − m), but zero where that is under `drop`, and outside of the table."""
    exponentials = tl.exp(tl.maximum(logits - largest, SMALLEST_EXPONENT))
    return tl.where(inside & (exponentials >= drop), exponentials, 0.0)


@triton.jit
def _add_weighted(
    body: tl.tensor,
    last: tl.tensor,
    weights: tl.tensor,
    table: tl.tensor,
    rows: tl.tensor,
    count: tl.tensor,
    WIDTH: tl.constexpr,
    BODY: tl.constexpr,
) -> tuple[tl.tensor, tl.tensor]:
    """`body` and `last`, the sums' columns, with rows of the table [count, WIDTH] added: one sum a row of weights."""
    body = tl.dot(weights, _tile(table, rows, count, 0, WIDTH, BODY), body, input_precision=VALUES)
    if WIDTH > BODY:
        last += tl.sum(weights * _last_column(table, rows, count, WIDTH)[None, :], 1)
    return body, last


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
    mask = inside[:, None] & (columns < WIDTH)[None, :]
    tl.store(table + rows[:, None] * WIDTH + columns[None, :], body, mask=mask)
    if WIDTH > BODY:
        tl.store(table + rows * WIDTH + BODY, last, mask=inside)


@triton.jit(do_not_specialize=["tokens", "size", "length"])
def _find_largest(
    q: tl.tensor,
    k: tl.tensor,
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
    found = tl.full([OWN], float("-inf"), tl.float32)
    places = tl.zeros([OWN], tl.int32)
    for start in range(begin, tl.minimum(begin + length, size), STEP):
        columns = start + tl.arange(0, STEP)
        logits = _products(q, rows, tokens, k, columns, size, E, E_BODY, LOGITS)
        logits = tl.where((columns < size)[None, :], logits, float("-inf"))
        candidates, positions = tl.max(logits, 1, return_indices=True, return_indices_tie_break_left=True)
        places = tl.where(candidates > found, start + positions, places)
        found = tl.maximum(candidates, found)
    stored = tl.program_id(1).to(tl.int64) * tokens + rows
    tl.store(largest + stored, found, mask=rows < tokens)
    tl.store(codes + stored, places, mask=rows < tokens)


@triton.jit(do_not_specialize=["tokens", "size", "length"])
def _sum_over_codes(
    q: tl.tensor,
    k: tl.tensor,
    v: tl.tensor,
    largest: tl.tensor,
    totals: tl.tensor,
    squares: tl.tensor,
    weighted: tl.tensor,
    tokens: tl.tensor,
    size: tl.tensor,
    drop: tl.tensor,
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
    total = tl.zeros([OWN], tl.float32)
    square = tl.zeros([OWN], tl.float32)
    body = tl.zeros([OWN, F_BODY], tl.float32)
    last = tl.zeros([OWN], tl.float32)
    for start in range(begin, tl.minimum(begin + length, size), STEP):
        columns = start + tl.arange(0, STEP)
        logits = _products(q, rows, tokens, k, columns, size, E, E_BODY, LOGITS)
        e = _exponentials(logits, largest, (columns < size)[None, :], drop)
        total += tl.sum(e, 1)
        square += tl.sum(e * e, 1)
        body, last = _add_weighted(body, last, e, v, columns, size, F, F_BODY)
    stored = tl.program_id(1).to(tl.int64) * tokens + rows
    tl.store(totals + stored, total, mask=rows < tokens)
    tl.store(squares + stored, square, mask=rows < tokens)
    _store(weighted, stored, rows < tokens, body, last, F, F_BODY)


@triton.jit(do_not_specialize=["tokens", "size", "length"])
def _sum_over_tokens(
    q: tl.tensor,
    k: tl.tensor,
    largest: tl.tensor,
    scale: tl.tensor,
    usage: tl.tensor,
    tokens: tl.tensor,
    size: tl.tensor,
    drop: tl.tensor,
    length: tl.tensor,
    E: tl.constexpr,
    E_BODY: tl.constexpr,
    OWN: tl.constexpr,
    STEP: tl.constexpr,
) -> None:
    """Σ_n P [parts, K], with P = exp(S − m) · scale."""
    columns = tl.program_id(0) * OWN + tl.arange(0, OWN)
    begin = tl.program_id(1) * length
    total = tl.zeros([OWN], tl.float32)
    for start in range(begin, tl.minimum(begin + length, tokens), STEP):
        rows = start + tl.arange(0, STEP)
        logits = _products(k, columns, size, q, rows, tokens, E, E_BODY, LOGITS)
        inside = (columns < size)[:, None] & (rows < tokens)[None, :]
        e = _exponentials(logits, _entries(largest, rows, tokens)[None, :], inside, drop)
        total += tl.sum(e * _entries(scale, rows, tokens)[None, :], 1)
    stored = tl.program_id(1).to(tl.int64) * size + columns
    tl.store(usage + stored, total, mask=columns < size)


@triton.jit(do_not_specialize=["tokens", "size"])
def _largest_again(
    q: tl.tensor,
    k: tl.tensor,
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
    logits = _products(q, rows, tokens, k, chosen, size, E, E_BODY, LOGITS)
    diagonal = rows[:, None] == rows[None, :]
    tl.store(largest + rows, tl.sum(tl.where(diagonal, logits, 0.0), 1), mask=rows < tokens)


@triton.jit(do_not_specialize=["tokens", "size", "length"])
def _token_gradients(
    q: tl.tensor,
    k: tl.tensor,
    v: tl.tensor,
    grad_out: tl.tensor,
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
    excess = tl.zeros([OWN], tl.float32)
    body = tl.zeros([OWN, E_BODY], tl.float32)
    last = tl.zeros([OWN], tl.float32)
    expected_body = tl.zeros([OWN, E_BODY], tl.float32)
    expected_last = tl.zeros([OWN], tl.float32)
    for start in range(begin, tl.minimum(begin + length, size), STEP):
        columns = start + tl.arange(0, STEP)
        logits = _products(q, rows, tokens, k, columns, size, E, E_BODY, LOGITS)
        p = _exponentials(logits, largest, (columns < size)[None, :], drop) * scale
        r = _products(grad_out, rows, tokens, v, columns, size, F, F_BODY, VALUES)
        r += _entries(grad_usage, columns, size)[None, :] + twice_s2 * p - centre
        excess += tl.sum(p * r, 1)
        body, last = _add_weighted(body, last, p * r, k, columns, size, E, E_BODY)
        expected_body, expected_last = _add_weighted(expected_body, expected_last, p, k, columns, size, E, E_BODY)
    stored = tl.program_id(1).to(tl.int64) * tokens + rows
    tl.store(excesses + stored, excess, mask=rows < tokens)
    _store(weighted, stored, rows < tokens, body, last, E, E_BODY)
    _store(expected, stored, rows < tokens, expected_body, expected_last, E, E_BODY)


@triton.jit(do_not_specialize=["tokens", "size", "length"])
def _code_gradients(
    q: tl.tensor,
    k: tl.tensor,
    v: tl.tensor,
    grad_out: tl.tensor,
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
    dk_last = tl.zeros([OWN], tl.float32)
    dv_body = tl.zeros([OWN, F_BODY], tl.float32)
    dv_last = tl.zeros([OWN], tl.float32)
    for start in range(begin, tl.minimum(begin + length, tokens), STEP):
        rows = start + tl.arange(0, STEP)
        logits = _products(k, columns, size, q, rows, tokens, E, E_BODY, LOGITS)
        inside = (columns < size)[:, None] & (rows < tokens)[None, :]
        e = _exponentials(logits, _entries(largest, rows, tokens)[None, :], inside, drop)
        p = e * _entries(scale, rows, tokens)[None, :]
        r = _products(v, columns, size, grad_out, rows, tokens, F, F_BODY, VALUES)
        r += grad_usage + _entries(twice_s2, rows, tokens)[None, :] * p - _entries(shift, rows, tokens)[None, :]
        dk_body, dk_last = _add_weighted(dk_body, dk_last, p * r, q, rows, tokens, E, E_BODY)
        dv_body, dv_last = _add_weighted(dv_body, dv_last, p, grad_out, rows, tokens, F, F_BODY)
    stored = tl.program_id(1).to(tl.int64) * size + columns
    _store(dk, stored, columns < size, dk_body, dk_last, E, E_BODY)
    _store(dv, stored, columns < size, dv_body, dv_last, F, F_BODY)
