"""Density of the latents at each token, on the surface that they fill.

It is estimated from nearest neighbours. Among N' tokens with density f, the ball around a place z with a radius of the
distance r_k to the k-th of them has N' f(z) V_m r_k^m ~ Gamma(k), V_m being the volume of the unit ball in m
dimensions, so that

    1/f(z) = N' V_m r_k^m / k      log f(z) = ψ(k) − log(N' V_m r_k^m)

are unbiased where f is constant over the ball (Loftsgaarden & Quesenberry 1965; Kozachenko & Leonenko 1987). m is not
the width of the latents: normalisation removes two dimensions from LGQ's, and photographs leave others nearly empty.
It is estimated at the same k (Levina & Bickel 2004), inverses averaged over tokens (MacKay & Ghahramani 2005):

    1/m = mean over tokens and j < k of log(r_k/r_j)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammaln
from sklearn.neighbors import NearestNeighbors

from lgq_explore.errors import InputError

NEIGHBOURS = 10
"""k: few enough to stay within a cell, and enough that a single density is right within a third."""

MOST_TOKENS = 2**14
"""Most tokens of a half that densities are taken from, 16,384; of a larger half a sample is drawn."""


@dataclass(frozen=True, eq=False)
class LatentDensity:
    """The density at each token, estimated from tokens of other images.

    log_density: [N] float64, nats per unit of length^m; inf where k tokens coincide with this one. volume: [N], 1/f.
    dimension: m. tokens: those that densities were taken from, in the smaller of two halves. neighbours: k.
    """

    log_density: NDArray[np.float64]
    volume: NDArray[np.float64]
    dimension: float
    tokens: int
    neighbours: int


def latent_density(
    points: NDArray[np.floating],
    images: NDArray[np.int64],
    *,
    neighbours: int = NEIGHBOURS,
    dimension: float | None = None,
    seed: int = 0,
) -> LatentDensity:
    """Density at N points [N, P], tokens of the `images` [N], each from the half of the images that it is not in.

    A density is thus independent of the token's own picture. Halves are drawn by `seed`. dimension: m, where it is
    known; by default it is estimated from all points.

    Raises:
        InputError: fewer than 2 images, fewer than 2 neighbours, a half without that many tokens, a dimension that is
            not positive, or points of which too many coincide to estimate it.
    """
    half = _halves(images, seed)
    most = int(min(half.sum(), (~half).sum()))
    if not 2 <= neighbours <= most:
        raise InputError(f"neighbours is {neighbours}: give 2 to {most}, the tokens of half the images")
    if dimension is not None and not 0 < dimension < math.inf:
        raise InputError(f"dimension is {dimension}: give a positive number, or None to estimate it")
    generator = np.random.default_rng(seed)
    radii, sizes = np.empty((len(points), neighbours)), np.empty(len(points))
    for side in (half, ~half):
        others = points[~side]
        if len(others) > MOST_TOKENS:
            others = others[generator.choice(len(others), MOST_TOKENS, replace=False)]
        radii[side] = NearestNeighbors(n_neighbors=neighbours).fit(others).kneighbors(points[side])[0]
        sizes[side] = len(others)
    if dimension is None:
        dimension = _dimension(radii)
    with np.errstate(divide="ignore"):
        log_share = np.log(sizes) + log_ball_volume(dimension) + dimension * np.log(radii[:, -1])
    return LatentDensity(
        log_density=digamma(neighbours) - log_share,
        volume=np.exp(log_share) / neighbours,
        dimension=dimension,
        tokens=int(sizes.min()),
        neighbours=neighbours,
    )


def log_ball_volume(dimension: float) -> float:
    """log V_m of the unit ball in m dimensions: V_m = π^{m/2} / Γ(m/2 + 1)."""
    return float(dimension / 2 * math.log(math.pi) - gammaln(dimension / 2 + 1))


def _halves(images: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    """Whether each token's image is in the first half."""
    names, image = np.unique(images, return_inverse=True)
    if len(names) < 2:
        raise InputError(f"the tokens are of {len(names)} images: give at least 2, to measure one in the other")
    first = np.zeros(len(names), dtype=bool)
    first[np.random.default_rng(seed).permutation(len(names))[: len(names) // 2]] = True
    return first[image.reshape(-1)]


def _dimension(radii: NDArray[np.float64]) -> float:
    """m from distances to the neighbours [N, k], without points that coincide with a neighbour."""
    apart = radii[radii[:, 0] > 0]
    inverse = float(np.log(apart[:, -1:] / apart[:, :-1]).mean()) if len(apart) else 0.0
    if inverse <= 0:
        raise InputError("too many tokens coincide to estimate a dimension: give more images, or the dimension")
    return 1 / inverse
