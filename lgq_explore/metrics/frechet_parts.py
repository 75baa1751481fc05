"""What each pair of vectors adds to the Fréchet distance of two sets.

With centred vectors x_i, y_i of N pairs, means μ, ν and δ = μ − ν,

    FD = |δ|² + (N/(N − 1)) (tr Σ + tr Σ' − 2 |M|_*)        M = X Yᵀ/N, |M|_* = tr (Σ Σ')^½ its nuclear norm

If pair i has the weight w_i, M is W^½ X Yᵀ W^½, and the derivative of its nuclear norm by w_i at equal weights is

    r_i = (N/2) ((M Mᵀ)^½ + (Mᵀ M)^½)_ii        whose mean is |M|_*

So FD is the mean of |x_i|² + |y_i|² − 2 r_i (times N/(N − 1)) and 2 δ·δ_i − |δ|², and what pair i exceeds the mean by
is its influence on FD (Hampel, JASA 69, 1974): to first order, FD of other weights is the mean with these. No
covariance is inverted, so that this also holds for fewer pairs than dimensions.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lgq_explore.errors import InputError

LEAST_SINGULAR_VALUE = 1e-7
"""As a share of the largest; smaller ones are rounding, since their squares are computed."""


def frechet_parts(features: Tensor, others: Tensor) -> Tensor:
    """The part of each pair in the Fréchet distance of two sets of vectors [N, P]: [N], float64, whose mean it is.

    Row i of both is a pair, such as the features of a picture and of its reconstruction.
    Raises InputError for sets of unequal shapes and for fewer than two pairs.
    """
    if features.shape != others.shape or features.ndim != 2 or len(features) < 2:
        shapes = f"{list(features.shape)} and {list(others.shape)}"
        raise InputError(f"vectors have the shapes {shapes}: give at least 2 pairs [N, P]")
    one, other = features.double(), others.double()
    number, shifts = len(one), one - other
    shift = shifts.mean(dim=0)
    one, other = one - one.mean(dim=0), other - other.mean(dim=0)
    spread = one.square().sum(dim=1) + other.square().sum(dim=1) - 2 * _nuclear_parts(one, other)
    return spread * (number / (number - 1)) + 2 * shifts @ shift - shift.square().sum()


def _nuclear_parts(one: Tensor, other: Tensor) -> Tensor:
    """r of centred vectors [N, P], by the singular vectors of M = X Yᵀ/N = U S Vᵀ in P dimensions."""
    number = len(one)
    values, vectors = torch.linalg.eigh(other.T @ other / number)
    root = vectors * values.clamp(min=0).sqrt()  # root rootᵀ = Σ', so that M Mᵀ = X root (X root)ᵀ/N
    squares, directions = torch.linalg.eigh(root.T @ (one.T @ one / number) @ root)
    kept = squares > LEAST_SINGULAR_VALUE**2 * squares.max()
    singular, directions = squares[kept].sqrt(), directions[:, kept]
    left = one @ (root @ directions) / (singular * number**0.5)
    right = other @ (one.T @ left) / (singular * number)
    return number / 2 * (left.square() + right.square()) @ singular
