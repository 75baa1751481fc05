"""Tokens take the code of the largest dot product, whatever its length: no nearest point in Euclid's sense."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from lgq_explore.quantizers import Metric, Quantizer, QuantizerOutput, TakesCodebooks, to_grid, to_tokens
from lgq_explore.quantizers.base import VectorQuantizerConfig, straight_through
from lgq_explore.quantizers.capabilities import require_vectors
from lgq_explore.quantizers.methods.vq import vector_losses


@dataclass(frozen=True)
class DotProductConfig(VectorQuantizerConfig):
    """The code of the largest dot product, learned by gradient."""

    method: ClassVar[str] = "planted-dot-product"
    default_loss_weights: ClassVar[dict[str, float]] = {"codebook": 1.0, "commitment": 0.25}

    def build(self, dim: int, generator: torch.Generator | None = None) -> DotProductQuantizer:
        return DotProductQuantizer(dim, self, generator)


class NegativeDotProduct(Metric):
    """−z·c, which may be negative."""

    name = "−dot product"

    def formula(self, points: Tensor, codes: Tensor) -> Tensor:
        return -points @ codes.T


class DotProductQuantizer(TakesCodebooks, Quantizer):
    """The code [K, D] of the largest dot product with a token."""

    metric = NegativeDotProduct()

    def __init__(self, dim: int, config: DotProductConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(dim, [config.codebook_size])
        # Of lengths from 0.5 to 1.5, so that the nearest in another metric is often another one.
        directions = nn.functional.normalize(torch.randn(config.codebook_size, dim, generator=generator), dim=1)
        self.codebook = nn.Parameter(
            directions * (0.5 + torch.rand(config.codebook_size, 1, generator=generator)) * dim**0.5
        )

    def forward(self, latents: Tensor) -> QuantizerOutput:
        tokens = to_tokens(self.continuous(latents))
        codes = self.assign(tokens)
        vectors = self.codebook[codes[:, 0]]
        if not self.training:
            return QuantizerOutput(to_grid(vectors, latents), to_grid(codes, latents))
        quantized = straight_through(vectors.detach(), gradient_of=tokens)
        return QuantizerOutput(to_grid(quantized, latents), to_grid(codes, latents), vector_losses(tokens, vectors))

    def codebooks(self) -> list[Tensor]:
        return [self.codebook.detach()]

    def continuous(self, latents: Tensor) -> Tensor:
        return latents.to(self.codebook.dtype)

    def with_codebooks(self, codebooks: Sequence[Tensor]) -> Self:
        other = copy.deepcopy(self)
        other.codebook = nn.Parameter(require_vectors(codebooks, self.dim).to(self.codebook).clone())
        other.levels = (len(other.codebook),)
        return other
