"""Two learned codebooks in a stack: the second takes what the first leaves. Codes add up (Lee et al. 2022)."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from lgq_explore.errors import InputError
from lgq_explore.quantizers import (
    Quantizer,
    QuantizerConfig,
    QuantizerOutput,
    StartsFromData,
    TakesCodebooks,
    split_codes,
    to_grid,
    to_tokens,
)
from lgq_explore.quantizers.base import straight_through
from lgq_explore.quantizers.initialization import OnRound, unheard
from lgq_explore.quantizers.methods.vq import vector_losses


@dataclass(frozen=True)
class ResidualConfig(QuantizerConfig):
    """A residual stack of learned codebooks, each of the same size."""

    method: ClassVar[str] = "planted-residual"
    default_loss_weights: ClassVar[dict[str, float]] = {"codebook": 1.0, "commitment": 0.25}

    codes: int = 32  # of each stage
    stages: int = 2

    def __post_init__(self) -> None:
        self._require("codes", self.codes >= 2, "a stage needs at least 2 codes")
        self._require("stages", self.stages >= 1, "give at least one stage")

    @property
    def size(self) -> int:
        return self.codes**self.stages

    def resized(self, codebook_size: int) -> Self:
        if codebook_size < 2**self.stages:
            raise ValueError(f"codebook_size is {codebook_size}: {self.stages} stages have at least {2**self.stages}")
        return replace(self, codes=round(math.exp(math.log(codebook_size) / self.stages)))

    def learned_shapes(self, dim: int) -> list[tuple[int, ...]]:
        return [(self.codes, dim)] * self.stages

    def build(self, dim: int, generator: torch.Generator | None = None) -> ResidualQuantizer:
        return ResidualQuantizer(dim, self, generator)


class ResidualQuantizer(StartsFromData, TakesCodebooks, Quantizer):
    """Stages of codes [K_g, D], each nearest to what the stages before it leave."""

    searches_greedily = True  # the best pair may begin with another first code

    def __init__(self, dim: int, config: ResidualConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(dim, [config.codes] * config.stages)
        self.init_tokens = 2 * config.codes
        self.stages = nn.ParameterList(
            torch.randn(config.codes, dim, generator=generator) / 2**stage for stage in range(config.stages)
        )

    @torch.no_grad()
    def initialize(self, tokens: Tensor, generator: torch.Generator | None = None, on_round: OnRound = unheard) -> None:
        rest = tokens
        for finished, stage in enumerate(self.stages, start=1):
            stage.copy_(rest[torch.randperm(len(rest), generator=generator)[: len(stage)].to(rest.device)])
            rest = rest - stage[self.metric.nearest(rest, stage)]
            on_round(finished, len(self.stages))

    def forward(self, latents: Tensor) -> QuantizerOutput:
        tokens = to_tokens(self.continuous(latents))
        codes = self.assign(tokens)
        vectors = self._sum(codes)
        if not self.training:
            return QuantizerOutput(to_grid(vectors, latents), to_grid(codes, latents))
        quantized = straight_through(vectors.detach(), gradient_of=tokens)
        return QuantizerOutput(to_grid(quantized, latents), to_grid(codes, latents), vector_losses(tokens, vectors))

    def codebooks(self) -> list[Tensor]:
        return [stage.detach() for stage in self.stages]

    def continuous(self, latents: Tensor) -> Tensor:
        return latents.to(self.stages[0].dtype)

    def discrete(self, codes: Tensor) -> Tensor:
        return to_grid(self._sum(to_tokens(codes)), codes)

    def assign(self, points: Tensor, allowed: Tensor | None = None) -> Tensor:
        """As `Quantizer.assign`, greedily: each stage takes the nearest code that allowed ones go on from."""
        paths = None
        if allowed is not None:
            paths = split_codes(self.allowed_codes(allowed)[:, None, None], self.levels)[:, :, 0, 0]
        chosen, rest = points.new_zeros(len(points), 0, dtype=torch.int64), points
        for stage in self.codebooks():
            codes = self.metric.nearest(rest, stage) if paths is None else self._on_paths(rest, stage, chosen, paths)
            chosen, rest = torch.cat([chosen, codes[:, None]], dim=1), rest - stage[codes]
        return chosen

    def with_codebooks(self, codebooks: Sequence[Tensor]) -> Self:
        if len(codebooks) != len(self.stages) or any(book.shape[1] != self.dim for book in codebooks):
            shapes = [list(book.shape) for book in codebooks]
            raise InputError(f"the codebooks have shapes {shapes}: give {len(self.stages)} of [K, {self.dim}]")
        other = copy.deepcopy(self)
        other.stages = nn.ParameterList(book.detach().to(self.stages[0]).clone() for book in codebooks)
        other.levels = tuple(len(book) for book in codebooks)
        return other

    def _on_paths(self, rest: Tensor, stage: Tensor, chosen: Tensor, paths: Tensor) -> Tensor:
        """Codes [N] of a stage for what is left [N, D]: the nearest that a path [M, G] goes on with from `chosen`."""
        codes = torch.empty(len(rest), dtype=torch.int64, device=rest.device)
        stages = chosen.shape[1]
        for branch in {tuple(row) for row in chosen.tolist()}:
            start = torch.tensor(branch, dtype=torch.int64, device=rest.device)
            rows = (chosen == start).all(1)
            candidates = paths[(paths[:, :stages] == start).all(1), stages].unique()
            codes[rows] = candidates[self.metric.nearest(rest[rows], stage[candidates])]
        return codes

    def _sum(self, codes: Tensor) -> Tensor:
        """Codes [N, G] → vectors [N, D], with the gradient of all stages."""
        vectors = self.stages[0][codes[:, 0]]
        for stage, chosen in zip(list(self.stages)[1:], codes.T[1:], strict=True):
            vectors = vectors + stage[chosen]
        return vectors
