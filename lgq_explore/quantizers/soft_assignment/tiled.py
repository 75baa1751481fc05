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
from .tiles import beside, columnwise_zeros, strip_buffer, strips

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
    out, lse, s2 = q.new_empty(tokens, v.shape[1]), q.new_empty(tokens), q.new_empty(tokens)
    usage, codes = q.new_zeros(size), torch.empty(tokens, dtype=torch.int64, device=q.device)
    buffer = strip_buffer(tokens, size, like=q)
    for strip in strips(tokens, size, q.device):
        rows, tiles = strip.rows, strip.tiles_of(buffer)
        largest = strip.largest_products(q[rows], keys, tiles)
        sums, squares = columnwise_zeros(strip.height, values), lse.new_zeros(strip.height)
        for columns, tile in zip(strip.columns, tiles, strict=True):
            tile.sub_(largest.values[:, None]).clamp_(min=SMALLEST_EXPONENT).mul_(LOG2_E).exp2_()
            if drop > 0:
                torch.threshold_(tile, drop, 0.0)
            sums.addmm_(tile, values[columns])
            squares += torch.linalg.vector_norm(tile, dim=1).square_()
        weighted, total = sums[:, :-1], sums[:, -1]
        for columns, tile in zip(strip.columns, tiles, strict=True):
            usage[columns].addmv_(tile.T, 1 / total)
        out[rows], lse[rows] = weighted / total[:, None], largest.values + total.log()
        s2[rows], codes[rows] = squares / total.square(), largest.indices
    return SoftAssignment(out, lse, s2, usage / tokens, codes)


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
    smallest = drop * torch.exp((q * k[assignment.codes]).sum(1) - assignment.lse)
    dq = torch.empty_like(queries)
    # Sums over tokens are accumulated transposed: such products are twice as fast.
    dk, dv = k.new_zeros(k.shape[1], size), v.new_zeros(v.shape[1], size)
    p_buffer, ds_buffer = strip_buffer(tokens, size, like=q), strip_buffer(tokens, size, like=q)
    for strip in strips(tokens, size, q.device):
        rows, all_p, all_ds = strip.rows, strip.tiles_of(p_buffer), strip.tiles_of(ds_buffer)
        totals, row_sums = torch.zeros_like(smallest[rows]), torch.zeros_like(smallest[rows])
        for columns, p in zip(strip.columns, all_p, strict=True):
            torch.mm(queries[rows], keys[:, columns], out=p).clamp_(min=SMALLEST_EXPONENT * LOG2_E).exp2_()
            if drop > 0:
                p.mul_(p >= smallest[rows, None])
            totals += p.sum(1)
        # Rounding of a large lse scales P by a factor per row, which is removed where each row is a single number.
        scale = 1 / totals
        twice_s2 = (2 * upstream.s2[rows] * scale)[:, None]
        for columns, p, ds in zip(strip.columns, all_p, all_ds, strict=True):
            torch.mm(grads[rows], values[:, columns], out=ds).addcmul_(p, twice_s2).mul_(p)
            row_sums += ds.sum(1)
        # Row sums are computed from these very numbers, not from `out`, so that they cancel.
        shift = (upstream.lse[rows] - row_sums * scale)[:, None]
        ds_keys = columnwise_zeros(strip.height, queries)
        scaled_q, scaled_grads = (q[rows] * scale[:, None]).T, (upstream.out[rows] * scale[:, None]).T
        for columns, p, ds in zip(strip.columns, all_p, all_ds, strict=True):
            ds.addcmul_(p, shift)
            ds_keys.addmm_(ds, keys[:, columns].T)
            dk[:, columns].addmm_(scaled_q, ds)
            dv[:, columns].addmm_(scaled_grads, p)
        dq[rows] = ds_keys * scale[:, None]
    # A row of dS sums to f, up to a rounding error. In the gradient of a temperature, the remainder of a cancellation
    # of logits, this error weighs as much as the largest logits; so it is subtracted at the code that has them.
    left_over = dq[:, -1] - upstream.lse
    dq = dq[:, :-1].addcmul_(left_over[:, None], k[assignment.codes], value=-1)
    return InputGradients(dq, dk.T, dv.T)
