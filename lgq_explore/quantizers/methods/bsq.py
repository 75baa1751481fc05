"""BSQ: a token on the unit sphere takes the nearest corner of the cube that is inscribed in it.

Binary Spherical Quantization, Zhao et al. 2024, arXiv 2406.07548. A projection v of the latents is normalised to length
1, and its signs give codes {−1/√b, 1/√b}^b, which also have length 1:

    u = v/|v|      q = sign(u)/√b      |u − q|² ≤ 2 − 2/√b, and < 2 for any b
    entropy = mean_n H(p_n) − γ Σ_groups H(mean_n p_n)      commitment = mean_n |u − sg(q)|²

The order of codes and the entropy are in `signs`, with p ∝ exp(−|u − c|²/τ) and τ = 1. sign has the derivative of the
identity in the paper, so that the gradient of q reaches u divided by √b, as in the authors' code; LFQ's "spherical"
option in vector-quantize-pytorch does not divide it.

The defaults are those of the released runs (configs/tokenizer and transcoder in github.com/zhaoyue-zephyrus/bsq-vit at
37d212d): entropy 0.1 with γ = 1, groups of one bit, a weight of the entropy that begins at three times its value and
falls to it in 2,000 steps, and no commitment: its weight is the paper's β, `loss_weights.commitment`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from ..signs import SignConfig, SignQuantizer

SHORTEST = 1e-6
"""The least length that is divided by."""


@dataclass(frozen=True)
class BSQConfig(SignConfig):
    """BSQ, signs of a projection to the unit sphere; K is 2 to their number (1024 for the default)."""

    method: ClassVar[str] = "bsq"
    default_loss_weights: ClassVar[dict[str, float]] = {"entropy": 0.1, "commitment": 0.0}

    @property
    def magnitude(self) -> float:
        return self.bits**-0.5

    def build(self, dim: int, generator: torch.Generator | None = None) -> BSQ:
        return BSQ(dim, self, generator)


class BSQ(SignQuantizer):
    """Codes {−1/√b, 1/√b}^b: the signs of a projection that has length 1."""

    def continuous(self, latents: Tensor) -> Tensor:
        return functional.normalize(super().continuous(latents), dim=1, eps=SHORTEST)

    def _heard(self, points: Tensor) -> Tensor:
        return self.config.magnitude * points

    def _commitment(self, tokens: Tensor, vectors: Tensor) -> Tensor:
        return (tokens - vectors).square().sum(1).mean()
