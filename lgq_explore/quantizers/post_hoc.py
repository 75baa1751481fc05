"""Codes that are fitted to the latents of an encoder which was trained without them: what such methods share."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from .base import Quantizer, QuantizerOutput, VectorQuantizerConfig, straight_through, to_grid, to_tokens
from .capabilities import FitsAfterTraining, StartsFromData, TakesCodebooks, require_vectors
from .initialization import OnRound, initial_codebook, tokens_needed, unheard

TOKENS_A_CODE = 32
"""The fewest latents for each code. With n of them, a mean is off by 1/n of its cell's variance."""

MOST_BY_CODE = 2**21
"""The most latents that TOKENS_A_CODE asks for: 2,097,152, those of 65,536 codes."""


@dataclass(frozen=True)
class PostHocConfig(VectorQuantizerConfig):
    """Settings of a method whose codes are fitted after training."""

    default_decoder_finish: ClassVar[float] = 0.2

    fit_tokens: int = 65_536  # latents that the codes are fitted to; more if these are under TOKENS_A_CODE

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require("fit_tokens", 0 <= self.fit_tokens <= 2**31, "give a number from 0 to 2^31")


class PostHocQuantizer(StartsFromData, FitsAfterTraining, TakesCodebooks, Quantizer):
    """Latents as they are until the codes are fitted, and then the nearest of K codes [K, D].

    Until then, codes are different tokens of the start: in eval mode only.
    """

    codebook: Tensor
    fitted: Tensor

    def __init__(self, dim: int, config: PostHocConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(dim, [config.codebook_size])
        size = config.codebook_size
        self.method = config.method
        self.init_tokens = tokens_needed(size)
        self.fit_tokens = max(config.fit_tokens, min(TOKENS_A_CODE * size, MOST_BY_CODE), tokens_needed(size))
        self.register_buffer("codebook", torch.randn(size, dim, generator=generator))
        self.register_buffer("fitted", torch.zeros((), dtype=torch.bool))
        self._is_fitted = False  # the same, at hand without waiting for the device

    @torch.no_grad()
    def initialize(self, tokens: Tensor, generator: torch.Generator | None = None, on_round: OnRound = unheard) -> None:
        self.codebook.copy_(initial_codebook(tokens, self.codebook_size, "random", generator))

    @torch.no_grad()
    def fit(self, tokens: Tensor, generator: torch.Generator | None = None, on_round: OnRound = unheard) -> None:
        self.codebook.copy_(self.fitted_codes(tokens, generator, on_round))
        self.fitted.fill_(True)
        self._is_fitted = True

    def fitted_codes(self, tokens: Tensor, generator: torch.Generator | None, on_round: OnRound) -> Tensor:
        """The codes [K, D] for tokens [N, D]."""
        raise NotImplementedError("abstract: a method fits its codes")

    def forward(self, latents: Tensor) -> QuantizerOutput:
        if self.training and not self._is_fitted:
            return QuantizerOutput(latents, torch.empty_like(latents[:, :0], dtype=torch.int64))
        tokens = to_tokens(self.continuous(latents))
        codes = self.assign(tokens)
        vectors = self.codebook[codes[:, 0]]
        if self.training:
            vectors = straight_through(vectors, gradient_of=tokens)
        return QuantizerOutput(to_grid(vectors, latents), to_grid(codes, latents))

    def codebooks(self) -> list[Tensor]:
        return [self.codebook]

    def continuous(self, latents: Tensor) -> Tensor:
        return latents.to(self.codebook.dtype)

    def with_codebooks(self, codebooks: Sequence[Tensor]) -> Self:
        codebook = require_vectors(codebooks, self.dim).to(self.codebook)
        other = copy.deepcopy(self)
        other.levels = (len(codebook),)
        other.codebook = codebook.clone()
        return other

    def _load_from_state_dict(self, *arguments: Any, **settings: Any) -> None:
        super()._load_from_state_dict(*arguments, **settings)
        self._is_fitted = bool(self.fitted)
