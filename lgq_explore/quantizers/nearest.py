"""Nearest codes in a method's own metric, without an N×K tensor."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .assignment import common_offset
from .soft_assignment.tiles import Largest, beside, strip_buffer, strips

DISTANCES_AT_ONCE = 2**20
"""Distances held at a time by metrics without their own search."""


class Metric:
    """A distance between points and codes; smaller is nearer, and it may be negative."""

    name: str
    """The label of an axis with these distances."""

    def distances(self, points: Tensor, codes: Tensor) -> Tensor:
        """Points [N, P] and codes [K, P] → [N, K], in float32 at least, under autocast too."""
        dtype = torch.promote_types(points.dtype, torch.float32)
        with torch.autocast(points.device.type, enabled=False):
            return self.formula(points.to(dtype), codes.to(dtype))

    @torch.no_grad()
    def nearest(self, points: Tensor, codes: Tensor) -> Tensor:
        """Index [N] int64 of the code [K, P] nearest to each point [N, P]; ties go to the lowest index."""
        parts = points.split(max(1, DISTANCES_AT_ONCE // len(codes)))
        return torch.cat([self.distances(part, codes).argmin(1) for part in parts])

    def formula(self, points: Tensor, codes: Tensor) -> Tensor:
        """The distances [N, K] of `points` [N, P] and `codes` [K, P], both at least float32."""
        raise NotImplementedError("abstract: a metric implements formula")


class SquaredEuclidean(Metric):
    """|z − c|², summed over the P dimensions."""

    name = "squared Euclidean distance"

    def formula(self, points: Tensor, codes: Tensor) -> Tensor:
        # Not by matrix products, whose cancellation loses precision.
        return torch.cdist(points, codes, compute_mode="donot_use_mm_for_euclid_dist").square()

    def nearest(self, points: Tensor, codes: Tensor) -> Tensor:
        return nearest_codes(points, codes)


@dataclass(frozen=True)
class Nearest:
    """codes: [N] int64, the nearest row of the codebook. squared_distances: [N] to it, summed over D."""

    codes: Tensor
    squared_distances: Tensor


def nearest_codes(tokens: Tensor, codebook: Tensor) -> Tensor:
    """Index [N] int64 of the codebook row [K, D] at the least Euclidean distance of each token [N, D]."""
    return nearest(tokens, codebook).codes


@torch.no_grad()
def nearest(tokens: Tensor, codebook: Tensor) -> Nearest:
    """The nearest of the codebook's rows [K, D] to each token [N, D]; ties go to the lowest index.

    argmin_k |z − c_k|² = argmax_k z·c_k − |c_k|²/2. The codebook's approximate mean is subtracted from both sides
    first, so that a common offset costs no precision. Computed in at least float32, even under autocast.
    """
    dtype = torch.promote_types(tokens.dtype, torch.float32)
    with torch.autocast(tokens.device.type, enabled=False):
        tokens, codebook = tokens.to(dtype), codebook.to(dtype)
        offset = common_offset(codebook)
        tokens, codebook = tokens - offset, codebook - offset
        queries = beside(tokens, torch.full_like(tokens[:, 0], -0.5))
        best = largest_products(queries, beside(codebook, codebook.square().sum(1)))
    return Nearest(best.indices, (tokens.square().sum(1) - 2 * best.values).clamp_(min=0))


def largest_products(queries: Tensor, keys: Tensor) -> Largest:
    """The largest product of each query [N, E] with the keys [K, E]; ties go to the lowest index."""
    columns = keys.T.contiguous()
    buffer = strip_buffer(len(queries), len(keys), like=queries)
    return Largest.below_each_other(
        [
            strip.largest_products(queries[strip.rows], columns, strip.tiles_of(buffer))
            for strip in strips(len(queries), len(keys), queries.device)
        ]
    )


def sums_by_code(tokens: Tensor, codes: Tensor, codebook_size: int) -> Tensor:
    """The sum [K, D] of the tokens [N, D] with each code [N]; deterministic, on a GPU, too."""
    sums = tokens.new_zeros(codebook_size, tokens.shape[1])
    if tokens.device.type == "cpu":
        return sums.index_add_(0, codes, tokens)
    # On a GPU, index_add_ adds in no fixed order, so that rounding differs each time; index_put_ sorts first.
    return sums.index_put_((codes,), tokens, accumulate=True)


def counts_by_code(codes: Tensor, codebook_size: int, dtype: torch.dtype) -> Tensor:
    """The number [K] of tokens with each of their codes [N].

    Not by bincount, which waits for a GPU to learn how many codes there are.
    """
    return sums_by_code(torch.ones_like(codes[:, None], dtype=dtype), codes, codebook_size)[:, 0]
