"""CVQ: VQ with cosine similarity, whose idle codes move to tokens of the batch at every step.

Clustering VQ, of "Online Clustered Codebook", Zheng & Vedaldi 2023, arXiv 2307.15139. A token z takes the code of the
smallest angle, with the straight-through gradient and the losses of VQ. After every step, each code moves towards an
anchor, which is a token of the batch; the less the code is used, the further it moves:

    p ← 0.99 p + 0.01 (share of the batch's tokens that took the code), from 0
    a = exp(−10 K p/(1 − 0.99) − 0.001)      c ← (1 − a) c + a anchor

So a code that no token ever took becomes its anchor, but for a thousandth, from the first step on, and one that has a
K-th of the tokens stays where it is. Anchors are

    closest       the token of the smallest angle with the code
    random        any token
    probability   a token drawn by softmax over tokens of its cosine with the code

The defaults are those of the authors' code (quantise.py and main.py in github.com/lyndonzheng/CVQ-VAE at 04864b7): the
closest anchors, codebook and commitment weights 1 and β = 0.25, codes uniform in ±1/K at the start. Its random anchors
come from a pool that a batch with fewer tokens than codes fills gradually; here they are tokens of the batch; its
contrastive loss, off by default, is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor
from torch.nn import functional

from ..base import QuantizerOutput, VectorQuantizerConfig, straight_through, to_grid, to_tokens
from ..learned_codebook import LearnedCodebook
from ..nearest import DISTANCES_AT_ONCE, Metric, counts_by_code, nearest_codes
from ..step_counter import StepCounter
from .vq import vector_losses

ANCHORS = ("closest", "random", "probability")
SHARPNESS = 10.0
"""How fast a code's motion to its anchor falls with its usage, in the authors' code and paper."""
LEAST = 1e-3
"""What a code that is never used keeps of itself, about."""


@dataclass(frozen=True)
class CVQConfig(VectorQuantizerConfig):
    """VQ by cosines, in which codes move to tokens of the batch, the further the less they are used."""

    method: ClassVar[str] = "cvq"
    default_loss_weights: ClassVar[dict[str, float]] = {"codebook": 1.0, "commitment": 0.25}

    anchors: str = "closest"  # tokens that codes move to: closest, random, probability
    decay: float = 0.99  # of the average usage, per step

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require_choice("anchors", ANCHORS)
        self._require("decay", 0 <= self.decay < 1, "give a number in [0, 1)")

    def build(self, dim: int, generator: torch.Generator | None = None) -> CVQ:
        return CVQ(dim, self, generator)


class CosineDistance(Metric):
    """1 − cos, in [0, 2]; 1 from a vector of length 0."""

    name = "1 − cosine"

    def formula(self, points: Tensor, codes: Tensor) -> Tensor:
        return 1 - functional.normalize(points, dim=1) @ functional.normalize(codes, dim=1).T

    @torch.no_grad()
    def nearest(self, points: Tensor, codes: Tensor) -> Tensor:
        # Of unit vectors, the squared distance is 2 − 2 cos.
        dtype = torch.promote_types(points.dtype, torch.float32)
        return nearest_codes(*(functional.normalize(vectors.to(dtype), dim=1) for vectors in (points, codes)))


class CVQ(LearnedCodebook):
    """The code [K, D] of the smallest angle with a token; idle codes move to tokens."""

    metric = CosineDistance()
    usage: Tensor

    def __init__(self, dim: int, config: CVQConfig, generator: torch.Generator | None = None) -> None:
        size = config.codebook_size
        super().__init__(dim, config.method, (2 * torch.rand(size, dim, generator=generator) - 1) / size)
        self.config = config
        self.register_buffer("usage", torch.zeros(size))
        self.steps = StepCounter()

    def forward(self, latents: Tensor) -> QuantizerOutput:
        tokens = to_tokens(self.continuous(latents))
        codes = self.assign(tokens)
        vectors, code_grid = self.codebook[codes[:, 0]], to_grid(codes, latents)
        if not self.training:
            return QuantizerOutput(to_grid(vectors, latents), code_grid)
        quantized = straight_through(vectors.detach(), gradient_of=tokens)
        losses = vector_losses(tokens, vectors)
        self._revive(tokens.detach(), codes[:, 0])
        return QuantizerOutput(to_grid(quantized, latents), code_grid, losses)

    def with_codebooks(self, codebooks: Sequence[Tensor]) -> Self:
        other = super().with_codebooks(codebooks)
        other.usage = torch.zeros_like(other.codebook[:, 0])
        return other

    @torch.no_grad()
    def _revive(self, tokens: Tensor, codes: Tensor) -> None:
        """Count the codes [N] of tokens [N, D], and move each code of the codebook towards its anchor."""
        taken = counts_by_code(codes, self.codebook_size, tokens.dtype) / len(tokens)
        self.usage.lerp_(taken, 1 - self.config.decay)
        moved = (-SHARPNESS * self.codebook_size / (1 - self.config.decay) * self.usage - LEAST).exp()
        self.codebook.lerp_(tokens[self._anchors(tokens)], moved[:, None])

    def _anchors(self, tokens: Tensor) -> Tensor:
        """The index [K] of each code's anchor among the tokens [N, D]."""
        if self.config.anchors == "closest":
            return self.metric.nearest(self.codebook, tokens)
        # Seeded by the number of steps, which is saved with the weights: a resumed run draws the same anchors.
        generator = torch.Generator().manual_seed(self.steps.advance())
        drawn = torch.rand(self.codebook_size, generator=generator, pin_memory=tokens.is_cuda)
        drawn = drawn.to(tokens.device, non_blocking=True)
        if self.config.anchors == "random":
            return (drawn * len(tokens)).long().clamp_(max=len(tokens) - 1)
        return self._drawn_by_cosine(tokens, drawn)

    def _drawn_by_cosine(self, tokens: Tensor, drawn: Tensor) -> Tensor:
        """The index [K] of the token at which the cumulated softmax of each code's cosines reaches `drawn` [K]."""
        rows, indices = max(1, DISTANCES_AT_ONCE // len(tokens)), []
        for codes, parts in zip(self.codebook.split(rows), drawn.split(rows), strict=True):
            cumulated = (-self.metric.distances(codes, tokens)).softmax(1).cumsum(1)
            reached = torch.searchsorted(cumulated, parts[:, None].to(cumulated) * cumulated[:, -1:], right=True)
            indices.append(reached[:, 0].clamp_(max=len(tokens) - 1))
        return torch.cat(indices)
