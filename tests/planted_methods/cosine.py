"""Tokens take the code of the smallest angle; latents and codes keep their lengths, which the decoder sees."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from lgq_explore.quantizers import (
    Metric,
    Quantizer,
    QuantizerOutput,
    StartsFromData,
    TakesCodebooks,
    to_grid,
    to_tokens,
)
from lgq_explore.quantizers.base import VectorQuantizerConfig, straight_through
from lgq_explore.quantizers.capabilities import require_vectors
from lgq_explore.quantizers.initialization import OnRound, unheard
from lgq_explore.quantizers.methods.vq import vector_losses


@dataclass(frozen=True)
class CosineConfig(VectorQuantizerConfig):
    """The code of the smallest angle, learned by gradient from tokens drawn at random."""

    method: ClassVar[str] = "planted-cosine"
    default_loss_weights: ClassVar[dict[str, float]] = {"codebook": 1.0, "commitment": 0.25}

    def build(self, dim: int, generator: torch.Generator | None = None) -> CosineQuantizer:
        return CosineQuantizer(dim, self, generator)


class CosineDistance(Metric):
    """1 − cos, in [0, 2]."""

    name = "1 − cosine"

    def formula(self, points: Tensor, codes: Tensor) -> Tensor:
        return 1 - functional.normalize(points, dim=1) @ functional.normalize(codes, dim=1).T


class CosineQuantizer(StartsFromData, TakesCodebooks, Quantizer):
    """The code [K, D] of the smallest angle with a token."""

    metric = CosineDistance()

    def __init__(self, dim: int, config: CosineConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(dim, [config.codebook_size])
        self.init_tokens = config.codebook_size
        self.codebook = nn.Parameter(torch.randn(config.codebook_size, dim, generator=generator))

    @torch.no_grad()
    def initialize(self, tokens: Tensor, generator: torch.Generator | None = None, on_round: OnRound = unheard) -> None:
        drawn = torch.randperm(len(tokens), generator=generator)[: self.codebook_size].to(tokens.device)
        self.codebook.copy_(tokens[drawn])
        on_round(1, 1)

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
