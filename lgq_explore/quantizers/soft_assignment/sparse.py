"""The soft assignment over the few codes that each token keeps above a threshold.

Formulas and names are those of `soft_assignment`. At a small temperature a handful of codes hold all but a billionth of
a token's responsibility. Logits are still computed for all pairs, a strip of tokens at a time, but everything after
them, which costs most, is computed for the kept pairs only. From the first strip that keeps many pairs on, `tiled`
computes the rest, which is then faster.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..assignment import InputGradients, OutputGradients, SoftAssignment
from . import tiled
from .tiles import Largest, Strip, places_above, strip_buffer, strips

PAIRS_PER_TOKEN = 128
"""Kept codes per token, averaged over a strip, above which the strip is crowded and left to `tiled`."""


@dataclass(frozen=True)
class _Kept:
    """The pairs that a strip of n tokens keeps.

    rows, columns: [M], within the strip, and of all codes. p: [M] responsibilities. total: [n] sums of exponentials.
    """

    strip: Strip
    rows: Tensor
    columns: Tensor
    p: Tensor
    total: Tensor
    largest: Largest

    def sum_rows(self, terms: Tensor) -> Tensor:
        """Sums by row [n, …] of the pairs' terms [M, …]."""
        return terms.new_zeros(self.strip.height, *terms.shape[1:]).index_add_(0, self.rows, terms)


@torch.no_grad()
def assign(q: Tensor, k: Tensor, v: Tensor, drop: float) -> SoftAssignment:
    """The soft assignment of q [N, E] to k [K, E] with values v [K, F], in their dtype; `drop` above 0."""
    tokens, size = len(q), len(k)
    out, lse, s2 = q.new_empty(tokens, v.shape[1]), q.new_empty(tokens), q.new_empty(tokens)
    usage, codes = q.new_zeros(size), torch.empty(tokens, dtype=torch.int64, device=q.device)
    crowded = torch.ones(tokens, dtype=torch.bool, device=q.device)
    for kept in _kept_by_strips(q, k, drop):
        rows = kept.strip.rows
        out[rows] = kept.sum_rows(kept.p[:, None] * v[kept.columns])
        s2[rows] = kept.sum_rows(kept.p.square())
        lse[rows], codes[rows] = kept.largest.values + kept.total.log(), kept.largest.indices
        usage.index_add_(0, kept.columns, kept.p)
        crowded[rows] = False
    if crowded.any():
        whole = tiled.assign(q[crowded], k, v, drop)
        out[crowded], lse[crowded], s2[crowded], codes[crowded] = whole.out, whole.lse, whole.s2, whole.codes
        usage += whole.usage * len(whole.codes)
    return SoftAssignment(out, lse, s2, usage / tokens, codes)


@torch.no_grad()
def gradients(
    q: Tensor, k: Tensor, v: Tensor, assignment: SoftAssignment, upstream: OutputGradients, drop: float
) -> InputGradients:
    """The gradients with respect to q, k and v, from those with respect to the outputs of `assign`."""
    dq, dk, dv = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
    per_token_usage = upstream.usage / len(q)
    crowded = torch.ones(len(q), dtype=torch.bool, device=q.device)
    for kept in _kept_by_strips(q, k, drop):
        rows, columns, p = kept.strip.rows, kept.columns, kept.p
        grads, f, a = upstream.out[rows][kept.rows], upstream.lse[rows], upstream.s2[rows]
        r = (grads * v[columns]).sum(1) + 2 * a[kept.rows] * p + per_token_usage[columns]
        ds = p * (r + (f - kept.sum_rows(p * r))[kept.rows])
        # A row of dS sums to f. With keys measured from the nearest code, rounding errors in that sum have no weight.
        nearest = k[kept.largest.indices]
        dq[rows] = kept.sum_rows(ds[:, None] * (k[columns] - nearest[kept.rows])).addcmul_(f[:, None], nearest)
        dk.index_add_(0, columns, ds[:, None] * q[rows][kept.rows])
        dv.index_add_(0, columns, p[:, None] * grads)
        crowded[rows] = False
    if crowded.any():
        here = OutputGradients(
            upstream.out[crowded], upstream.lse[crowded], upstream.s2[crowded], per_token_usage * crowded.sum()
        )
        whole = tiled.gradients(q[crowded], k, v, assignment.of_tokens(crowded), here, drop)
        dq[crowded] = whole.q
        dk += whole.k
        dv += whole.v
    return InputGradients(dq, dk, dv)


def _kept_by_strips(q: Tensor, k: Tensor, drop: float) -> Iterator[_Kept]:
    """The kept pairs of each strip up to the first crowded one; the search is not free, and strips are much alike."""
    keys, buffer = k.T.contiguous(), strip_buffer(len(q), len(k), like=q)
    for strip in strips(len(q), len(k), q.device):
        tiles = strip.tiles_of(buffer)
        largest = strip.largest_products(q[strip.rows], keys, tiles)
        kept = _kept(strip, tiles, largest, drop)
        if kept is None:
            return
        yield kept


def _kept(strip: Strip, tiles: list[Tensor], largest: Largest, drop: float) -> _Kept | None:
    floor, found, room = largest.values + math.log(drop), [], PAIRS_PER_TOKEN * strip.height
    for part, tile in zip(strip.columns, tiles, strict=True):
        places = places_above(tile, floor, at_most=room)
        if places is None:
            return None
        room -= len(places.values)
        found.append((places.rows, places.columns + part.start, places.values))
    rows, columns, logits = (torch.cat(parts) for parts in zip(*found, strict=True))
    exponentials = (logits - largest.values[rows]).exp_()
    total = exponentials.new_zeros(strip.height).index_add_(0, rows, exponentials)
    return _Kept(strip, rows, columns, exponentials / total[rows], total, largest)
