"""Where do the first codes lie? Codebooks drawn from the encoder's own tokens."""

from __future__ import annotations

import torch
from torch import Tensor

from .nearest import nearest, nearest_codes

INITIALIZATIONS = ("random", "kmeans++", "kmeans")
SEEDING_ROUNDS = 256
LLOYD_ITERATIONS = 10
LLOYD_DISTANCES = 2 * 10**9
"""Distances that Lloyd iterations may cost in all: a few seconds, so that 65,536 codes start as soon as 1,024 do."""


def tokens_needed(codebook_size: int) -> int:
    """Tokens from which a codebook of this size is drawn: two a code, so that seeding has something to choose from."""
    return 2 * codebook_size


@torch.no_grad()
def initial_codebook(tokens: Tensor, codebook_size: int, initialization: str) -> Tensor:
    """K codes [K, D] from tokens [N, D], drawn from torch's generator.

    `random`: K different tokens. `kmeans++`: spread out by their squared distances (Arthur & Vassilvitskii 2007).
    `kmeans`: the same, then Lloyd iterations, at most 10 and LLOYD_DISTANCES distances.
    Raises ValueError where fewer tokens than codes are at hand.
    """
    if len(tokens) < codebook_size:
        raise ValueError(f"{len(tokens)} tokens can't initialise {codebook_size} codes: give at least as many tokens")
    if initialization == "random":
        return tokens[torch.randperm(len(tokens))[:codebook_size].to(tokens.device)].clone()
    seeds = _spread_seeds(tokens, codebook_size)
    return seeds if initialization == "kmeans++" else _lloyd(tokens, seeds)


def _spread_seeds(tokens: Tensor, codebook_size: int) -> Tensor:
    """k-means++ with at most SEEDING_ROUNDS rounds: beyond that many codes, several are drawn a round.

    Drawing a few at a time by the same squared distances is the sampling of k-means|| (Bahmani et al. 2012).
    """
    per_round = -(-codebook_size // SEEDING_ROUNDS)
    chosen = torch.randint(len(tokens), (1,)).to(tokens.device)
    distances = nearest(tokens, tokens[chosen]).squared_distances
    while len(chosen) < codebook_size:
        draws = min(per_round, codebook_size - len(chosen))
        # The floor lets equal tokens be drawn once the different ones are used up; a chosen token has weight 0.
        weights = (distances + 1e-12).index_fill(0, chosen, 0.0)
        fresh = _draw_without_replacement(weights, draws)
        chosen = torch.cat([chosen, fresh])
        distances = torch.minimum(distances, nearest(tokens, tokens[fresh]).squared_distances)
    return tokens[chosen].clone()


def _draw_without_replacement(weights: Tensor, draws: int) -> Tensor:
    """Indices drawn by weight: the largest of weight / Exp(1) (Efraimidis & Spirakis 2006), of any number."""
    exponentials = torch.empty(len(weights), dtype=weights.dtype).exponential_().to(weights.device)
    return (weights / exponentials).topk(draws).indices


def _lloyd(tokens: Tensor, centres: Tensor) -> Tensor:
    affordable = LLOYD_DISTANCES // (len(tokens) * len(centres))
    for _ in range(min(LLOYD_ITERATIONS, affordable)):
        codes = nearest_codes(tokens, centres)
        counts = torch.bincount(codes, minlength=len(centres)).to(tokens.dtype)
        sums = torch.zeros_like(centres).index_add_(0, codes, tokens)
        centres = torch.where(counts[:, None] > 0, sums / counts.clamp(min=1)[:, None], centres)
    return centres
