"""Deterministic annealing: minima of the free energy of codes and tokens, followed from hot to cold.

Rose, Gurewitz & Fox 1990; Rose 1998, "Deterministic annealing for clustering, compression, classification, regression".
With responsibilities p_nk = softmax_k(−|z_n − c_k|²/τ), the free energy F = −τ mean_n log Σ_k exp(−|z_n − c_k|²/τ) is
stationary where every code is the mean of what it answers for,

    c_k = Σ_n p_nk z_n / Σ_n p_nk

All codes coincide above τ_c = 2 λ_max(cov z), and part one after the other below; at τ → 0 they are those of k-means.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lgq_explore.errors import InputError

from .soft_assignment.tiles import strips

PERTURBATION = 1e-3
"""How far centres are pushed apart before every temperature, as a share of the tokens' spread."""

STRIDE = 1.6
"""Step of a centre, as a multiple of the way to its cell's mean. F is bounded above by a parabola with its minimum
there, so any stride below 2 lowers F; one above 1 converges faster where convergence is slow."""

AT_REST = 1e-4
"""Largest move of a centre that is left to the next temperature, as a share of the tokens' spread."""

PAIRS_AT_ONCE = 2**16
"""Pairs of tokens and codes up to which one table of responsibilities is quicker than strips of it."""


@dataclass(frozen=True)
class CellSums:
    """Responsibility-weighted sums for each of K codes over N tokens, and means over the tokens.

    mass: [K] mean_n p_nk, sums to 1. sums: [K, F] Σ_n p_nk f_n of the features asked for. lse: mean_n log Σ_k e^logit,
    where a logit is (2 z·c − |c|²)/τ.
    """

    mass: Tensor
    sums: Tensor
    lse: float


def cell_sums(tokens: Tensor, codebook: Tensor, temperature: float, features: Tensor) -> CellSums:
    """`CellSums` of tokens [N, D], codes [K, D] and features [N, F], all of one dtype, a strip of tokens at a time."""
    keys, bias = (2 / temperature) * codebook, codebook.square().sum(1, keepdim=True) / -temperature
    # The mass is one more feature, of ones.
    features = torch.cat([torch.ones_like(features[:, :1]), features], dim=1)
    sums, lse = features.new_zeros(len(codebook), features.shape[1]), 0.0
    for strip in strips(len(tokens), len(codebook), tokens.device):
        # Codes lie along the first axis, so that sums over them are vectors of tokens; what is normalised are the
        # features, which are fewer numbers than the responsibilities.
        weights = torch.addmm(bias, keys, tokens[strip.rows].T)
        largest = weights.amax(0)
        total = weights.sub_(largest).exp_().sum(0)
        lse += (total.log() + largest).sum().item()
        sums.addmm_(weights, features[strip.rows] / total[:, None])
    return CellSums(sums[:, 0] / len(tokens), sums[:, 1:], lse / len(tokens))


def critical_temperature(tokens: Tensor) -> float:
    """τ_c = 2 λ_max(cov z) of tokens [N, D], N ≥ 2: the temperature at which a codebook that minimises F splits first.

    Raises InputError for fewer tokens.
    """
    if tokens.ndim != 2 or len(tokens) < 2:
        raise InputError(f"tokens have shape {list(tokens.shape)}: give [N, D], N at least 2")
    covariance = torch.atleast_2d(torch.cov(from_the_first(tokens.double()).T, correction=0))
    return 2 * torch.linalg.eigvalsh(covariance)[-1].item()


def from_the_first(tokens: Tensor) -> Tensor:
    """Tokens relative to the first one, so that the mean of equal tokens is exact and their spread is 0."""
    return tokens - tokens[0]


@dataclass(frozen=True)
class Settled:
    """Centres [K, D], after how many iterations, and whether they had come to rest by then."""

    centres: Tensor
    iterations: int
    converged: bool


def settled(points: Tensor, centres: Tensor, temperature: float, tolerance: float, iterations: int) -> Settled:
    """Move centres [K, D] to the means of the points [N, D] that they answer for, until none moves by the tolerance.

    iterations: at most, of at least one.
    """
    features = torch.cat([torch.ones_like(points[:, :1]), points], dim=1)
    for iteration in range(1, iterations + 1):
        mass, sums = _mass_and_sums(points, features, centres, temperature)
        # A code with no mass stays where it is.
        means = torch.where(mass > 0, sums / mass.clamp(min=torch.finfo(mass.dtype).tiny), centres)
        way = means - centres
        centres = centres + STRIDE * way
        if way.abs().max().item() < tolerance:
            return Settled(centres, iteration, True)
    return Settled(centres, iterations, False)


def _mass_and_sums(points: Tensor, features: Tensor, centres: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """The number of points that each code answers for [K, 1], and their sum [K, D]; features: ones, and the points."""
    if len(points) * len(centres) > PAIRS_AT_ONCE:
        cells = cell_sums(points, centres, temperature, points)
        return (len(points) * cells.mass)[:, None], cells.sums
    # Where all responsibilities fit a cache, what counts is the number of operations.
    bias = centres.square().sum(1, keepdim=True) / -temperature
    weights = torch.addmm(bias, centres * (2 / temperature), points.T)
    weights = weights.sub_(weights.amax(0)).exp_()
    sums = weights @ (features / weights.sum(0)[:, None])
    return sums[:, :1], sums[:, 1:]


@dataclass(frozen=True)
class AnnealedCentres:
    """The centres [K, D] of a temperature."""

    temperature: float
    centres: Tensor


def annealing(
    tokens: Tensor, size: int, temperatures: Sequence[float], iterations: int, generator: torch.Generator | None = None
) -> Iterator[AnnealedCentres]:
    """Follow K = `size` centres of tokens [N, D] through the temperatures, which fall.

    All start at the mean. Before every temperature each is pushed by PERTURBATION of the tokens' spread in a direction
    drawn from `generator`, on the CPU; where coinciding is stable the push dies away. iterations: at most, at each
    temperature.
    """
    mean = tokens.mean(0)
    points = tokens - mean  # so that logits are of the size of the distances
    spread = points.square().sum(1).mean().sqrt().item()
    centres = points.new_zeros(size, points.shape[1])
    for temperature in temperatures:
        push = torch.randn(centres.shape, generator=generator, dtype=centres.dtype).to(centres.device)
        start = centres + PERTURBATION * spread * push / math.sqrt(centres.shape[1])
        centres = settled(points, start, temperature, AT_REST * spread, iterations).centres
        yield AnnealedCentres(temperature, centres + mean)
