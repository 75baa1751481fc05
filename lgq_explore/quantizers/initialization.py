"""Initial codebooks, drawn from the encoder's own tokens or laid over them as a grid."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from .nearest import nearest, nearest_codes, sums_by_code

INITIALIZATIONS = ("random", "kmeans++", "kmeans", "grid", "official")
FEWEST_LEVELS = 5
"""The fewest levels per direction of a grid on average, as FSQ recommends (arXiv 2309.15505, section 4.1)."""
OFFICIAL_NOISE = 0.01
"""Standard deviation of the noise on repeated tokens, in each direction."""
SEEDING_ROUNDS = 256
LLOYD_ITERATIONS = 10
LLOYD_DISTANCES = 2 * 10**9
"""The most distances that all Lloyd iterations compute: a few seconds for any number of codes."""

OnRound = Callable[[int, int], None]
"""A callback with the number of finished rounds and of all rounds; an exception that it raises ends the work."""


def unheard(finished: int, rounds: int) -> None:
    """An `OnRound` that does nothing."""


def start_levels(initialization: str, codebook_size: int, dim: int | None = None) -> tuple[int, ...]:
    """Levels of the initial lattice, in at most `dim` directions; () if codes are initialised at tokens.

    Raises ValueError if no grid has K codes.
    """
    return grid_levels(codebook_size, dim or codebook_size) if initialization == "grid" else ()


def tokens_needed(codebook_size: int, initialization: str = "kmeans++") -> int:
    """Tokens to initialise a codebook from: two per code, so that seeding has a choice; `official` takes any batch."""
    return 1 if initialization == "official" else 2 * codebook_size


@torch.no_grad()
def initial_codebook(
    tokens: Tensor,
    codebook_size: int,
    initialization: str,
    generator: torch.Generator | None = None,
    on_round: OnRound = unheard,
) -> Tensor:
    """K codes [K, D] from tokens [N, D], drawn from `generator`, on the CPU, or from torch's global one.

    `random`: K different tokens. `kmeans++`: spread out by their squared distances (Arthur & Vassilvitskii 2007).
    `kmeans`: the same, then Lloyd iterations, at most 10 and LLOYD_DISTANCES distances. `grid`: a lattice of
    `grid_levels` along the principal axes of the tokens, the widest first, as wide as an even spread of the same
    variance; joint codes in mixed radix, first axis slowest. `official`: as `random`, and from fewer tokens than codes,
    all of them over and over with noise of OFFICIAL_NOISE, as in LGQ's code (quantization/quantizers.py in
    github.com/KurbanIntelligenceLab/LGQ at 9d78742, which takes the first batch of one device): such codes start as
    twins. Raises ValueError for fewer tokens than codes, or if no grid has K codes.
    """
    if initialization == "official":
        return _repeated_with_noise(tokens, codebook_size, generator)
    if len(tokens) < codebook_size:
        raise ValueError(f"{len(tokens)} tokens can't initialise {codebook_size} codes: give at least as many tokens")
    if initialization == "grid":
        return _along_principal_axes(tokens, grid_levels(codebook_size, tokens.shape[1]))
    if initialization == "random":
        return tokens[torch.randperm(len(tokens), generator=generator)[:codebook_size].to(tokens.device)].clone()
    seeds = spread_seeds(tokens, codebook_size, generator, on_round)
    if initialization == "kmeans++":
        return seeds
    rounds = min(LLOYD_ITERATIONS, LLOYD_DISTANCES // (len(tokens) * len(seeds)))
    return lloyd(tokens, seeds, rounds, on_round)


def _repeated_with_noise(tokens: Tensor, codebook_size: int, generator: torch.Generator | None) -> Tensor:
    chosen = tokens[torch.randperm(len(tokens), generator=generator)[:codebook_size].to(tokens.device)]
    if len(chosen) == codebook_size:
        return chosen
    repeated = chosen.repeat(-(-codebook_size // len(chosen)), 1)[:codebook_size]
    return repeated + OFFICIAL_NOISE * torch.randn(repeated.shape, generator=generator).to(repeated)


def grid_levels(codebook_size: int, dim: int) -> tuple[int, ...]:
    """At most `dim` levels whose product is K = `codebook_size`, descending, as equal as the prime factors of K allow.

    Their number is such that they average at least FEWEST_LEVELS, but at least two: 8, 8, 4, 4 for 1024. Raises
    ValueError if one level is more than four times another, because K has too few prime factors.
    """
    # In floating point, the logarithm of 125 to the base 5 is slightly below 3.
    groups = min(dim, max(2, int(math.log(codebook_size, FEWEST_LEVELS) + 1e-9)))
    levels = [1] * groups
    for factor in sorted(_prime_factors(codebook_size), reverse=True):
        levels[levels.index(min(levels))] *= factor
    levels.sort(reverse=True)
    if levels[0] > 4 * levels[-1]:
        nearest_power = 2 ** round(math.log2(codebook_size))
        raise ValueError(
            f"codebook_size is {codebook_size}: no even grid in {groups} directions has so many codes; choose a number "
            f"with small factors, such as {nearest_power}"
        )
    return tuple(levels)


def _prime_factors(number: int) -> list[int]:
    factors, divisor = [], 2
    while divisor * divisor <= number:
        while number % divisor == 0:
            factors.append(divisor)
            number //= divisor
        divisor += 1
    return [*factors, number] if number > 1 else factors


def _along_principal_axes(tokens: Tensor, levels: tuple[int, ...]) -> Tensor:
    """Evenly spaced points [K, D]. The cells of an even spread of variance σ² reach from −√3σ to √3σ."""
    mean, wide = tokens.mean(0), tokens.double() - tokens.double().mean(0)
    variances, directions = torch.linalg.eigh(wide.T @ wide / len(tokens))  # ascending
    steps = []
    for level, variance in zip(levels, variances.flip(0), strict=False):
        middles = (2 * torch.arange(level, device=tokens.device, dtype=torch.float64) + 1) / level - 1
        steps.append(middles * (3 * variance.clamp(min=0)).sqrt())
    places = torch.cartesian_prod(*steps).view(-1, len(levels))
    return mean + (places @ directions.flip(1)[:, : len(levels)].T).to(tokens.dtype)


def spread_seeds(
    tokens: Tensor, codebook_size: int, generator: torch.Generator | None = None, on_round: OnRound = unheard
) -> Tensor:
    """K different tokens [K, D] by k-means++, at most SEEDING_ROUNDS rounds; for more codes, several are drawn a round.

    Drawing a few at a time by the same squared distances is the sampling of k-means|| (Bahmani et al. 2012).
    """
    per_round = -(-codebook_size // SEEDING_ROUNDS)
    chosen = torch.randint(len(tokens), (1,), generator=generator).to(tokens.device)
    distances = nearest(tokens, tokens[chosen]).squared_distances
    while len(chosen) < codebook_size:
        draws = min(per_round, codebook_size - len(chosen))
        # The floor lets duplicates be drawn once all distinct tokens are used; a chosen token has weight 0.
        weights = (distances + 1e-12).index_fill(0, chosen, 0.0)
        fresh = _draw_without_replacement(weights, draws, generator)
        chosen = torch.cat([chosen, fresh])
        distances = torch.minimum(distances, nearest(tokens, tokens[fresh]).squared_distances)
        on_round(-(-(len(chosen) - 1) // per_round), -(-(codebook_size - 1) // per_round))
    return tokens[chosen].clone()


def _draw_without_replacement(weights: Tensor, draws: int, generator: torch.Generator | None) -> Tensor:
    """Indices drawn by weight: those of the largest weight / Exp(1) (Efraimidis & Spirakis 2006)."""
    exponentials = torch.empty(len(weights), dtype=weights.dtype).exponential_(generator=generator)
    return (weights / exponentials.to(weights.device)).topk(draws).indices


def lloyd(tokens: Tensor, centres: Tensor, rounds: int, on_round: OnRound = unheard) -> Tensor:
    """Centres [K, D] after so many rounds, in each of which every one becomes the mean of the tokens nearest to it.

    Lloyd 1982, "Least squares quantization in PCM". A centre without tokens [N, D] stays where it is.
    """
    for finished in range(1, rounds + 1):
        codes = nearest_codes(tokens, centres)
        counts = torch.bincount(codes, minlength=len(centres)).to(tokens.dtype)
        sums = sums_by_code(tokens, codes, len(centres))
        centres = torch.where(counts[:, None] > 0, sums / counts.clamp(min=1)[:, None], centres)
        on_round(finished, rounds)
    return centres
