"""LFQ: one bit for the sign of each dimension, without a codebook.

Lookup-Free Quantization, of MAGVIT-2, Yu et al. 2023, arXiv 2310.05737. Codes are {−1, 1}^b, their order and the loss
are in `signs`, and the gradient goes straight through:

    q = sign(z)      entropy = mean_n H(p_n) − γ H(mean_n p_n)      commitment = mean (z − sg(q))²

with p ∝ exp(−|z − c|²/τ), τ = 0.01. The paper's entropy of the batch is that of joint codes, one mean for each of 2^b.
`group_size` b is the paper's; the default of 1 treats the bits as independent; their entropy is never smaller, and it
costs nothing for any b.

The defaults are the paper's numbers where they are known, and otherwise those of its public reproduction
(configs/Open-MAGVIT2 and src/Open_MAGVIT2 in github.com/TencentARC/SEED-Voken at b9a17ea): entropy 0.1 with γ = 1,
commitment 0.25, and a weight of the entropy that begins at three times its value and falls to it in 2,000 steps. The
reproduction's option of that name begins at four times, and is off in its runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from ..signs import SignConfig, SignQuantizer


@dataclass(frozen=True)
class LFQConfig(SignConfig):
    """LFQ, a sign per dimension of a projection; K is 2 to their number (1024 for the default)."""

    method: ClassVar[str] = "lfq"
    default_loss_weights: ClassVar[dict[str, float]] = {"entropy": 0.1, "commitment": 0.25}

    entropy_temperature: float = 0.01  # τ

    def build(self, dim: int, generator: torch.Generator | None = None) -> LFQ:
        return LFQ(dim, self, generator)


class LFQ(SignQuantizer):
    """Codes {−1, 1}^b: the signs of a projection."""
