"""Frozen codes: tokens drawn from the data at the start, which never move.

This is a floor for comparisons. Each token takes its nearest code with the straight-through gradient of VQ (van den
Oord et al. 2017, arXiv 1711.00937), and only the encoder moves towards the codes:

    commitment = mean (z − c)²

The gain of a method over it, with the same backbone and recipe, is the value of learning its codebook. Any VQ layer
whose codebook has neither moving averages nor a gradient is equivalent to this one; such layers are often written by
mistake.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from .vq import VQ, VQGradientConfig


@dataclass(frozen=True)
class FrozenConfig(VQGradientConfig):
    """VQ whose codes are drawn from the data at the start and never move, a floor for comparisons."""

    method: ClassVar[str] = "frozen"
    default_loss_weights: ClassVar[dict[str, float]] = {"commitment": 0.25}

    initialization: str = "random"  # of INITIALIZATIONS; random: K different tokens

    def build(self, dim: int, generator: torch.Generator | None = None) -> FrozenVQ:
        return FrozenVQ(dim, self, generator)


class FrozenVQ(VQ):
    """Nearest of K codes [K, D] that nothing moves."""

    def _hold_codebook(self, codebook: Tensor) -> None:
        self.register_buffer("codebook", codebook)

    def _learn(self, tokens: Tensor, codes: Tensor, vectors: Tensor) -> dict[str, Tensor]:
        return {"commitment": functional.mse_loss(tokens, vectors)}
