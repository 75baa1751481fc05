"""The exact soft assignment on a GPU, in memory that grows with N + K.

Formulas and names are those of `soft_assignment`. A program owns some tokens (or codes) and walks over the codes (or
tokens) a few at a time, so that only one tile of logits per program exists of the N×K table:

    find_largest      tokens over codes    m = max_k S, and the codes
    sum_over_codes    tokens over codes    Σ_k e, Σ_k e² and Σ_k e v, where e = exp(S − m)
    sum_over_tokens   codes over tokens    usage
    token_gradients   tokens over codes    dq
    code_gradients    codes over tokens    dk and dv

If that makes too few programs to keep a GPU busy, the walk is cut into parts, whose sums are added afterwards. Nothing
is added atomically, so that the same input gives the same bits.

Products are computed on tensor cores, which have no float32. So each number is split into three of bfloat16 with 8
bits each, and a product of two tables is the sum of the six products of parts that matter in float32. Four choices keep
this as exact as float32, also for small temperatures, where logits reach 10⁴ and their rounding errors 10⁻³:

- Every kernel adds the products of a logit in the same order, whichever table it walks over, so that logits are
  identical to the bit in all kernels.
- Tensor cores truncate sums where CUDA cores round them, and long sums would drift: the sum of a step is computed on
  tensor cores, and added to that of earlier steps on CUDA cores.
- P is exp(S − m) exp(m − lse), not exp(S − lse), so that it is exactly 1 where one code takes all.
- dq = Σ_k P R' k − (Σ_k P R' − f) Σ_k P k takes a single walk, and with R' = R − G·out − 2 a s2 little cancels. The
  row sums Σ_k P R' are sums of the same numbers as in dq.

Sums along a walk are kept for each place of a tile, and added up at the end of the walk.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple, Self

import torch
import triton
from torch import Tensor

from ..assignment import InputGradients, OutputGradients, SoftAssignment
from .triton_kernels import (
    code_gradients,
    cut,
    find_largest,
    largest_again,
    sum_over_codes,
    sum_over_tokens,
    token_gradients,
)
from .triton_steps import FACTORS, PARTS, PRODUCTS, VALUES

FEWEST_STEPS = 4
"""The fewest steps in a part of a walk; with fewer, starting a program and adding its sums costs too much."""

PROGRAMS = 512
"""The number of programs to aim for when walks are cut: a few for each multiprocessor of the largest GPUs. It is a
constant, so that the order of additions depends on sizes and tiles only."""

DIAGONAL = 64
"""Tokens per program of the kernel that looks at one code per token."""

TILES_FILE = "triton_tiles.json"


@dataclass(frozen=True)
class Tile:
    """The tokens (or codes) that a program owns, the codes (or tokens) per step, and how it is compiled.

    own: a multiple of 64, for which the tensor cores of all GPUs add a logit in the same order in every kernel.
    """

    own: int
    step: int
    warps: int
    stages: int


@torch.no_grad()
def assign(q: Tensor, k: Tensor, v: Tensor, drop: float) -> SoftAssignment:
    """The soft assignment of q [N, E] to k [K, E] with values v [K, F], all float32 and on one CUDA device."""
    problem = _Problem.of(q, k, v, drop)
    with torch.cuda.device_of(q):
        queries, keys = _Table.of(q, of_tokens=True), _Table.of(k, of_tokens=False)
        walk = problem.walk_of_tokens(find_largest)
        maxima = q.new_empty(walk.parts, len(q))
        places = torch.empty_like(maxima, dtype=torch.int32)
        walk.start(*queries, *keys, maxima, places)
        largest, part = maxima.max(0)  # of equals the first, so that the lowest code wins
        codes = places.gather(0, part[None])[0].long()

        walk = problem.walk_of_tokens(sum_over_codes)
        totals, squares = (q.new_empty(walk.parts, len(q)) for _ in range(2))
        weighted = q.new_empty(walk.parts, len(q), _sums(v.shape[1]))
        walk.start(*queries, *keys, *_Table.of(v, of_tokens=False), largest, totals, squares, weighted)
        total = totals.sum(0)

        walk = problem.walk_of_codes(sum_over_tokens)
        usage = q.new_empty(walk.parts, len(k))
        walk.start(*queries, *keys, largest, 1 / total, usage)
    return SoftAssignment(
        out=_whole(weighted, v.shape[1]) / total[:, None],
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
    problem = _Problem.of(q, k, v, drop)
    grad_usage, twice_s2 = upstream.usage / len(q), 2 * upstream.s2
    centre = (upstream.out * assignment.out).sum(1) + twice_s2 * assignment.s2
    with torch.cuda.device_of(q):
        queries, grads = (_Table.of(table, of_tokens=True) for table in (q, upstream.out))
        keys, values = (_Table.of(table, of_tokens=False) for table in (k, v))
        largest = torch.empty_like(assignment.lse)
        problem.chosen_by_tokens().start(*queries, *keys, assignment.codes, largest)
        scale = torch.exp(largest - assignment.lse)

        walk = problem.walk_of_tokens(token_gradients)
        weighted, expected = (q.new_empty(walk.parts, len(q), _sums(q.shape[1])) for _ in range(2))
        excesses = q.new_empty(walk.parts, len(q))
        tables, per_token = (*queries, *keys, *values, *grads), (largest, scale, centre, twice_s2)
        walk.start(*tables, *per_token, grad_usage, weighted, expected, excesses)
        excess = excesses.sum(0) - upstream.lse
        dq = _whole(weighted, q.shape[1]) - excess[:, None] * _whole(expected, q.shape[1])

        walk = problem.walk_of_codes(code_gradients)
        dk, dv = (k.new_empty(walk.parts, len(k), _sums(table.shape[1])) for table in (k, v))
        per_token = (largest, scale, centre + excess, twice_s2)
        walk.start(*tables, *per_token, grad_usage, dk, dv)
    return InputGradients(dq, _whole(dk, k.shape[1]), _whole(dv, v.shape[1]))


class _Table(NamedTuple):
    """A table [count, width] as the kernels take it, each number in PARTS of bfloat16.

    Of a narrow table, factors [count, FACTORS] hold beside one another what the products of two tables multiply, and
    values [count, VALUES] the parts. Of others both hold the parts of the first columns, [PARTS, count, body], and last
    [count] float32 the one column that may be beside those.
    """

    factors: Tensor
    values: Tensor
    last: Tensor

    @classmethod
    def of(cls, table: Tensor, *, of_tokens: bool) -> Self:
        table = table.contiguous()
        count, width = table.shape
        if _is_narrow(width):
            factors, values = (
                table.new_zeros(count, columns, dtype=torch.bfloat16) for columns in (FACTORS.value, VALUES.value)
            )
        else:
            factors = values = table.new_zeros(PARTS.value, count, _body(width), dtype=torch.bfloat16)
        columns = triton.next_power_of_2(width)
        rows = max(1, 1024 // columns)
        sizes = {"WIDTH": width, "BODY": _body(width), "OF_TOKENS": of_tokens, "ROWS": rows, "COLUMNS": columns}
        cut[triton.cdiv(count, rows),](table, factors, values, count, **sizes, enable_fp_fusion=True)
        return cls(factors, values, table[:, -1].contiguous())


def _whole(sums: Tensor, width: int) -> Tensor:
    """[N, width] from the sums of weighted rows in each part of a walk [parts, N, …], as the kernels leave them."""
    sums = sums.sum(0)
    if not _is_narrow(width):
        return sums
    first, second, third = sums[:, : PARTS.value * width].unflatten(1, (PARTS.value, width)).unbind(1)
    return third + second + first


def _sums(width: int) -> int:
    """Columns of the sums of a table's weighted rows."""
    return VALUES.value if _is_narrow(width) else width


def _is_narrow(width: int) -> bool:
    return PRODUCTS.value * width <= FACTORS.value


@dataclass(frozen=True)
class _Problem:
    """The sizes of q [tokens, e], k [size, e] and v [size, f], and under which share of the largest a code counts 0."""

    tokens: int
    size: int
    e: int
    f: int
    drop: float
    device: str | None

    @classmethod
    def of(cls, q: Tensor, k: Tensor, v: Tensor, drop: float) -> Self:
        device = torch.cuda.get_device_name(q.device) if q.is_cuda else None
        return cls(len(q), len(k), q.shape[1], v.shape[1], drop, device)

    def walk_of_tokens(self, kernel: Any) -> _Walk:
        return self._walk(kernel, self.tokens, self.size)

    def walk_of_codes(self, kernel: Any) -> _Walk:
        return self._walk(kernel, self.size, self.tokens)

    def chosen_by_tokens(self) -> _Walk:
        """No walk at all: DIAGONAL tokens a program, each with a single code."""
        numbers = {**self._numbers(), "OWN": DIAGONAL}
        return _Walk(largest_again, triton.cdiv(self.tokens, DIAGONAL), 1, numbers, Tile(DIAGONAL, DIAGONAL, 4, 1))

    def _walk(self, kernel: Any, owned: int, other: int) -> _Walk:
        tile = tile_for(self.device, max(_body(self.e), _body(self.f)), kernel.__name__)
        programs, steps = triton.cdiv(owned, tile.own), triton.cdiv(other, tile.step)
        parts = max(1, min(PROGRAMS // programs, steps // FEWEST_STEPS))
        length = triton.cdiv(steps, parts) * tile.step
        numbers = {**self._numbers(), "length": length, "OWN": tile.own, "STEP": tile.step}
        return _Walk(kernel, programs, triton.cdiv(other, length), numbers, tile)

    def _numbers(self) -> dict[str, float]:
        columns = {"E": self.e, "E_BODY": _columns(self.e), "F": self.f, "F_BODY": _columns(self.f)}
        return {"tokens": self.tokens, "size": self.size, "drop": self.drop, "DROPS": self.drop > 0, **columns}


def tile_for(device: str | None, body: int, kernel: str) -> Tile:
    """The tile that was fastest for a kernel at a width on that GPU, or where that is unknown one that all can hold."""
    measured = measured_tiles().get(device or "", {}).get(str(body), {}).get(kernel)
    if measured is not None:
        return Tile(**measured)
    return Tile(64, 32 if body <= 32 else 16, 4 if body <= 64 else 8, 2 if body <= 32 else 1)


@cache
def measured_tiles() -> dict[str, Any]:
    """By a GPU's name, the columns that a tile holds and a kernel's name: a Tile's fields."""
    return json.loads((files(__package__) / TILES_FILE).read_text())["tiles"]


def _columns(width: int) -> int:
    """Columns of a tile of values."""
    return VALUES.value if _is_narrow(width) else _body(width)


def _body(width: int) -> int:
    """Columns that a tile holds: a power of two, from 16 on, that leaves out one of them at most.

    Centres of 2ⁿ dimensions have their squared norm as one column more, which is cheaper by itself than a tile of
    twice the columns.
    """
    power = max(16, 1 << (width.bit_length() - 1))
    return power if width <= power + 1 else 2 * power


@dataclass(frozen=True)
class _Walk:
    """Programs of a kernel that own tokens (or codes), and walk over `length` codes (or tokens) in each part."""

    kernel: Any
    programs: int
    parts: int
    numbers: dict[str, float]
    tile: Tile

    def start(self, *tensors: Tensor) -> None:
        """Start the kernel with the tensors, and with those of the numbers that it has a parameter for."""
        named = {name: self.numbers[name] for name in self.kernel.arg_names if name in self.numbers}
        options = {"num_warps": self.tile.warps, "num_stages": self.tile.stages, "enable_fp_fusion": True}
        self.kernel[self.programs, self.parts](*tensors, **named, **options)
