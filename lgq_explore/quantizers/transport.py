"""Codes by optimal transport: tokens take near codes, and all codes have an equal share of them."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from .assignment import common_offset

DISTANCES_AT_ONCE = {"cpu": 2**20, "cuda": 2**23}
"""Distances held at a time."""


@torch.no_grad()
def transported_codes(tokens: Tensor, codebook: Tensor, sharpness: float, rounds: int) -> Tensor:
    """Codes [N] int64 of tokens [N, D] by entropic transport to the codebook [K, D], a K-th of them for each.

    With distances d [N, K], their standard deviation s and ε = `sharpness`,

        Q_nk = v_n u_k exp(−ε d_nk/s)      Σ_n Q_nk = N/K      Σ_k Q_nk = 1      code = argmax_k Q_nk

    where u and v come from Sinkhorn's iteration (Cuturi 2013, arXiv 1306.0895), in logarithms: each of the `rounds`
    solves the first condition for u, and then the second for v. Without a round, u is 1, and the code the nearest one.
    Shares of Q are equal, and numbers of codes therefore less unequal than those of nearest codes, but not equal.
    The table is never held: parts of a few tokens are computed anew in each round.
    """
    dtype = torch.promote_types(tokens.dtype, torch.float32)
    with torch.autocast(tokens.device.type, enabled=False):
        offset = common_offset(codebook.to(dtype))
        tokens, codebook = tokens.to(dtype) - offset, codebook.to(dtype) - offset
        scale = sharpness / deviation_of_distances(tokens, codebook).to(dtype)
        weights = torch.zeros_like(codebook[:, 0])  # log u
        for done in range(rounds):
            taken = torch.full_like(weights, -torch.inf)  # log Σ_n v_n exp(−ε d_nk/s)
            for distances in _parts(tokens, codebook):
                logits = -scale * distances
                if done > 0:
                    logits = logits - (logits + weights).logsumexp(1, keepdim=True)
                taken = torch.logaddexp(taken, logits.logsumexp(0))
            weights = -taken
        return torch.cat([(weights - scale * distances).argmax(1) for distances in _parts(tokens, codebook)])


def deviation_of_distances(tokens: Tensor, codebook: Tensor) -> Tensor:
    """The standard deviation, a scalar in float64, of the distances of all tokens [N, D] to all codes [K, D]."""
    sums = torch.zeros(2, dtype=torch.float64, device=tokens.device)
    for distances in _parts(tokens, codebook):
        distances = distances.double()
        sums += torch.stack([distances.sum(), distances.square().sum()])
    mean, mean_square = sums / (len(tokens) * len(codebook))
    return (mean_square - mean.square()).clamp(min=0).sqrt().clamp(min=torch.finfo(torch.float32).tiny)


def _parts(tokens: Tensor, codebook: Tensor) -> Iterator[Tensor]:
    """Distances [·, K] of tokens that follow one another, to all codes."""
    most = DISTANCES_AT_ONCE["cpu" if tokens.device.type == "cpu" else "cuda"]
    rows = max(1, most // len(codebook))
    return (torch.cdist(part, codebook) for part in tokens.split(rows))
