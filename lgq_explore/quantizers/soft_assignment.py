"""How is every token assigned softly to every code without ever holding all N×K responsibilities?

A soft assignment is attention: queries q [N, E] are tokens, keys k [K, E] and values v [K, F] are codes.

    S = q kᵀ      P = softmax_k S      out = P v      lse = log Σ_k exp S      s2 = Σ_k P²      usage = mean_n P

The backward pass recomputes P tile by tile from `lse` instead of storing it (as in FlashAttention, Dao et al. 2022,
arXiv 2205.14135), extended by s2 and usage. With upstream gradients G of out, f of lse, a of s2 and b of usage:

    R = G vᵀ + 2 a P + b/N      dS = P ∘ (R − rowsum(P ∘ R) + f)      dq = dS k      dk = dSᵀ q      dv = Pᵀ G

Memory is O(N + K) beside one tile of rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from .assignment import SoftAssignment

TILE_ELEMENTS = 2**20
"""Largest number of token-code pairs held at once: 4 MB in float32, within the second-level cache's reach."""

SMALLEST_EXPONENT = -60.0
"""Logits this far under a row's largest are raised to it: e⁻⁶⁰ is below float64 resolution of the sum, and subnormal
numbers, which slow CPU matrix products fifteenfold, never appear."""


def soft_assign(q: Tensor, k: Tensor, v: Tensor) -> SoftAssignment:
    """Soft assignment of queries q [N, E] to keys k [K, E] with values v [K, F], differentiable in all three.

    Computes in float32 (float64 for float64 input), under autocast too: bfloat16 logits would flip codes.
    """
    dtype = torch.float64 if q.dtype == torch.float64 else torch.float32
    with torch.autocast(q.device.type, enabled=False):
        return SoftAssignment(*_SoftAssign.apply(q.to(dtype), k.to(dtype), v.to(dtype)))


def row_tiles(rows: int, columns: int) -> Iterator[slice]:
    """Slices over `rows` such that a tile of all columns holds at most TILE_ELEMENTS elements, or is one row."""
    height = max(1, TILE_ELEMENTS // columns)
    return (slice(start, min(start + height, rows)) for start in range(0, rows, height))


class _SoftAssign(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, ...]:
        tokens, size = len(q), len(k)
        out, lse, s2 = q.new_empty(tokens, v.shape[1]), q.new_empty(tokens), q.new_empty(tokens)
        usage, codes = q.new_zeros(size), torch.empty(tokens, dtype=torch.int64, device=q.device)
        for rows in row_tiles(tokens, size):
            logits = q[rows] @ k.T
            largest, codes[rows] = logits.max(1)  # `max` gives the first of equals, and is faster than `argmax`
            exponentials = logits.sub_(largest[:, None]).clamp_(min=SMALLEST_EXPONENT).exp_()
            total = exponentials.sum(1)
            out[rows] = (exponentials @ v) / total[:, None]
            lse[rows] = largest + total.log()
            usage += total.reciprocal() @ exponentials
            s2[rows] = exponentials.square_().sum(1) / total.square()
        ctx.save_for_backward(q, k, v, lse)
        ctx.mark_non_differentiable(codes)
        ctx.set_materialize_grads(True)
        return out, lse, s2, usage / tokens, codes

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v, lse = ctx.saved_tensors
        grad_out, grad_lse, grad_s2, grad_usage, _ = upstream
        per_token_usage = grad_usage / len(q)
        dq, dk, dv = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
        with torch.autocast(q.device.type, enabled=False):  # `backward` may be called inside of one
            for rows in row_tiles(len(q), len(k)):
                p = (q[rows] @ k.T).sub_(lse[rows, None]).clamp_(min=SMALLEST_EXPONENT).exp_()
                r = torch.addmm(per_token_usage, grad_out[rows], v.T)
                r.addcmul_(p, grad_s2[rows, None], value=2.0)
                weighted = r.mul_(p)
                # The row sum is taken of the numbers at hand, not from `out`: dS then sums to 0 exactly enough for
                # the gradient of a small temperature, which is what is left after cancellation.
                ds = weighted.addcmul_(p, (grad_lse[rows] - weighted.sum(1))[:, None])
                dq[rows] = ds @ k
                dk.addmm_(ds.T, q[rows])
                dv.addmm_(p.T, grad_out[rows])
        return dq, dk, dv
