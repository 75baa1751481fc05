"""Which code is nearest to each token, and how far is it, without an N×K tensor?"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .soft_assignment import row_tiles


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

    argmin_k |z − c_k|² = argmax_k z·c_k − |c_k|²/2. Both sides are centred on the codebook's mean first, so that an
    offset common to all costs no precision. Float32 at least, under autocast too.
    """
    dtype = torch.promote_types(tokens.dtype, torch.float32)
    with torch.autocast(tokens.device.type, enabled=False):
        centre = codebook.to(dtype).mean(0)
        tokens, codebook = tokens.to(dtype) - centre, codebook.to(dtype) - centre
        half_norms = codebook.square().sum(1) / 2
        codes = torch.empty(len(tokens), dtype=torch.int64, device=tokens.device)
        scores = tokens.new_empty(len(tokens))
        for rows in row_tiles(len(tokens), len(codebook)):
            scores[rows], codes[rows] = torch.addmm(half_norms, tokens[rows], codebook.T, beta=-1).max(1)
    return Nearest(codes, (tokens.square().sum(1) - 2 * scores).clamp_(min=0))
