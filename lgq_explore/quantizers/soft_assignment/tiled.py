"""The soft assignment tile by tile in plain torch, with one exponential per pair in each direction.

Formulas and names are those of `soft_assignment`. A strip of tokens over all codes is held at a time, so that a row's
sums are known before its responsibilities are used, and no exponential is computed twice. The strip is cut into tiles
that fit into the cache. Sums over a row are part of the matrix products, as products with a column of ones.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..assignment import InputGradients, OutputGradients, SoftAssignment
from .tiles import Largest, beside, columnwise_zeros, strip_buffer, strips

SMALLEST_EXPONENT = -60.0
"""Logits this far under a row's largest are raised to it: e⁻⁶⁰ is below float64 resolution of the sum, and subnormal
numbers, which slow some CPUs' matrix products fifteenfold, never appear."""

LOG2_E = math.log2(math.e)
"""eˣ is 2 to the power of x log₂e, which torch computes in half the time."""


@torch.no_grad()
def assign(q: Tensor, k: Tensor, v: Tensor, drop: float) -> SoftAssignment:
    """The soft assignment of q [N, E] to k [K, E] with values v [K, F], in their dtype."""
    tokens, size = len(q), len(k)
    keys, values = k.T.contiguous(), beside(v, torch.ones_like(v[:, 0]))
    sums, squares, usage = columnwise_zeros(tokens, values), q.new_zeros(tokens), q.new_zeros(size)
    buffer, found = strip_buffer(tokens, size, like=q), []
    for strip in strips(tokens, size, q.device):
        rows, tiles = strip.rows, strip.tiles_of(buffer)
        largest = strip.largest_products(q[rows], keys, tiles)
        found.append(largest)
        sums_here, squares_here = sums[rows], squares[rows]
        for columns, tile in zip(strip.columns, tiles, strict=True):
            tile.sub_(largest.values[:, None]).clamp_(min=SMALLEST_EXPONENT).mul_(LOG2_E).exp2_()
            if drop > 0:
                torch.threshold_(tile, drop, 0.0)
            sums_here.addmm_(tile, values[columns])
            squares_here += torch.linalg.vector_norm(tile, dim=1).square_()
        per_token = 1 / sums_here[:, -1]
        for columns, tile in zip(strip.columns, tiles, strict=True):
            usage[columns].addmv_(tile.T, per_token)
    # What takes a few numbers a token is done for all tokens at once: in small problems such steps take longest.
    largest, weighted, total = Largest.below_each_other(found), sums[:, :-1], sums[:, -1]
    lse, s2 = largest.values + total.log(), squares / total.square()
    return SoftAssignment(weighted / total[:, None], lse, s2, usage / tokens, largest.indices)


@torch.no_grad()
def gradients(
    q: Tensor, k: Tensor, v: Tensor, assignment: SoftAssignment, upstream: OutputGradients, drop: float
) -> InputGradients:
    """The gradients with respect to q, k and v, from those with respect to the outputs of `assign`."""
    tokens, size = len(q), len(k)
    # An additional column on each side adds what is constant along a row, or a column, within the matrix product.
    queries, keys = beside(q, -assignment.lse).mul_(LOG2_E), beside(k, torch.ones_like(k[:, 0])).T.contiguous()
    grads, values = (
        beside(upstream.out, torch.ones_like(assignment.lse)),
        beside(v, upstream.usage / tokens).T.contiguous(),
    )
    twice_s2 = (2 * upstream.s2)[:, None]
    smallest = drop * torch.exp((q * k[assignment.codes]).sum(1, keepdim=True) - assignment.lse[:, None])
    # Sums over tokens are accumulated transposed: such products are twice as fast.
    dq, dk, dv = columnwise_zeros(tokens, queries), k.new_zeros(k.shape[1], size), v.new_zeros(v.shape[1], size)
    p_buffer, ds_buffer = strip_buffer(tokens, size, like=q), strip_buffer(tokens, size, like=q)
    for strip in strips(tokens, size, q.device):
        rows, all_p, all_ds = strip.rows, strip.tiles_of(p_buffer), strip.tiles_of(ds_buffer)
        totals, row_sums = q.new_zeros(strip.height, 1), q.new_zeros(strip.height, 1)
        for columns, p in zip(strip.columns, all_p, strict=True):
            torch.mm(queries[rows], keys[:, columns], out=p).clamp_(min=SMALLEST_EXPONENT * LOG2_E).exp2_()
            if drop > 0:
                p.mul_(p >= smallest[rows])
            totals += p.sum(1, keepdim=True)
        for columns, p, ds in zip(strip.columns, all_p, all_ds, strict=True):
            # Rounding of a large lse scales P by a factor per row.
            p.div_(totals)
            torch.mm(grads[rows], values[:, columns], out=ds).addcmul_(p, twice_s2[rows]).mul_(p)
            row_sums += ds.sum(1, keepdim=True)
        # Row sums are computed from these very numbers, not from `out`, so that they cancel.
        shift = upstream.lse[rows, None] - row_sums
        for columns, p, ds in zip(strip.columns, all_p, all_ds, strict=True):
            ds.addcmul_(p, shift)
            dq[rows].addmm_(ds, keys[:, columns].T)
            dk[:, columns].addmm_(q[rows].T, ds)
            dv[:, columns].addmm_(upstream.out[rows].T, p)
    # A row of dS sums to f, up to a rounding error. In the gradient of a temperature, the remainder of a cancellation
    # of logits, this error weighs as much as the largest logits; so it is subtracted at the code that has them.
    left_over = dq[:, -1] - upstream.lse
    dq = dq[:, :-1].addcmul_(left_over[:, None], k[assignment.codes], value=-1)
    return InputGradients(dq, dk.T, dv.T)
