"""VQ: a learned codebook in which only the chosen codes are updated.

van den Oord et al. 2017, arXiv 1711.00937, and the moving averages of its appendix A.1; restarts of dead codes as in
Dhariwal et al. 2020, arXiv 2005.00341. Each token takes its nearest code with the straight-through gradient;

    codebook = mean (sg(z) − c)²      commitment = mean (z − sg(c))²

`vq` replaces the first loss by exponential moving averages of the tokens that chose a code.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..base import (
    Quantizer,
    QuantizerOutput,
    VectorQuantizerConfig,
    straight_through,
    to_grid,
    to_tokens,
)
from ..capabilities import StartsFromData, TakesCodebooks, require_vectors
from ..initialization import INITIALIZATIONS, OnRound, initial_codebook, start_levels, tokens_needed, unheard
from ..nearest import counts_by_code, sums_by_code

SMOOTHING = 1e-5


@dataclass(frozen=True)
class VQGradientConfig(VectorQuantizerConfig):
    """VQ whose codebook follows the gradient of its own loss."""

    method: ClassVar[str] = "vq-gradient"
    default_loss_weights: ClassVar[dict[str, float]] = {"codebook": 1.0, "commitment": 0.25}

    initialization: str = "kmeans"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require_choice("initialization", INITIALIZATIONS)
        start_levels(self.initialization, self.codebook_size)  # raises where K makes no grid

    def build(self, dim: int, generator: torch.Generator | None = None) -> VQ:
        return VQ(dim, self, generator)


@dataclass(frozen=True)
class VQConfig(VQGradientConfig):
    """VQ whose codebook follows moving averages, with restarts of codes that nobody chooses."""

    method: ClassVar[str] = "vq"
    default_loss_weights: ClassVar[dict[str, float]] = {"commitment": 0.25}

    decay: float = 0.99  # of the moving averages, per step
    restart_below: float = 0.05  # share of the mean count under which a code restarts at a random token; 0: never

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require("decay", 0 <= self.decay < 1, "give a number in [0, 1)")
        self._require("restart_below", 0 <= self.restart_below < 1, "give a share in [0, 1)")

    def build(self, dim: int, generator: torch.Generator | None = None) -> VQ:
        return MovingAverageVQ(dim, self, generator)


class VQ(StartsFromData, TakesCodebooks, Quantizer):
    """Nearest of K codes [K, D], learned by gradient."""

    codebook: Tensor

    def __init__(self, dim: int, config: VQGradientConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(dim, [config.codebook_size])
        self.config, self.method = config, config.method
        self.init_tokens = tokens_needed(config.codebook_size, config.initialization)
        self._hold_codebook(torch.randn(config.codebook_size, dim, generator=generator))

    @property
    def lattice(self) -> tuple[int, ...]:
        return start_levels(self.config.initialization, self.config.codebook_size, self.dim)

    def _hold_codebook(self, codebook: Tensor) -> None:
        self.codebook = nn.Parameter(codebook)

    @torch.no_grad()
    def initialize(self, tokens: Tensor, generator: torch.Generator | None = None, on_round: OnRound = unheard) -> None:
        initialization = self.config.initialization
        self.codebook.copy_(initial_codebook(tokens, self.codebook_size, initialization, generator, on_round))

    def forward(self, latents: Tensor) -> QuantizerOutput:
        tokens = to_tokens(latents).to(self.codebook.dtype)
        codes = self.assign(tokens)[:, 0]
        vectors = self.codebook[codes]
        code_grid = to_grid(codes[:, None], latents)
        if not self.training:
            return QuantizerOutput(to_grid(vectors, latents), code_grid)
        losses = self._learn(tokens, codes, vectors)
        quantized = self._with_gradient(vectors, tokens)
        return QuantizerOutput(to_grid(quantized, latents), code_grid, losses)

    def _with_gradient(self, vectors: Tensor, tokens: Tensor) -> Tensor:
        """The vectors [N, D] that tokens [N, D] are replaced by, with the gradient that reaches the tokens, or both."""
        return straight_through(vectors, gradient_of=tokens)

    def _learn(self, tokens: Tensor, codes: Tensor, vectors: Tensor) -> dict[str, Tensor]:
        """The losses of one step: tokens and their vectors [N, D], codes [N]."""
        return vector_losses(tokens, vectors)

    def codebooks(self) -> list[Tensor]:
        return [self.codebook.detach()]

    def continuous(self, latents: Tensor) -> Tensor:
        return latents

    def with_codebooks(self, codebooks: Sequence[Tensor]) -> Self:
        codebook = require_vectors(codebooks, self.dim).to(self.codebook)
        other = copy.deepcopy(self)
        other.levels = (len(codebook),)
        del other.codebook
        other._hold_codebook(codebook.clone())
        return other


class MovingAverageVQ(VQ):
    """Nearest of K codes, each the moving average of the tokens that chose it."""

    config: VQConfig
    counts: Tensor
    sums: Tensor
    updates: Tensor

    def __init__(self, dim: int, config: VQConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(dim, config, generator)
        self.register_buffer("counts", torch.ones(config.codebook_size))
        self.register_buffer("sums", self.codebook.clone())
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))
        self._finished_updates = 0  # the same number, at hand without waiting for the device

    def _hold_codebook(self, codebook: Tensor) -> None:
        self.register_buffer("codebook", codebook)

    @torch.no_grad()
    def initialize(self, tokens: Tensor, generator: torch.Generator | None = None, on_round: OnRound = unheard) -> None:
        super().initialize(tokens, generator, on_round)
        self.counts.fill_(1.0)
        self.sums.copy_(self.codebook)

    def with_codebooks(self, codebooks: Sequence[Tensor]) -> Self:
        other = super().with_codebooks(codebooks)
        other.counts = torch.ones_like(other.codebook[:, 0])
        other.sums = other.codebook.clone()
        return other

    def _learn(self, tokens: Tensor, codes: Tensor, vectors: Tensor) -> dict[str, Tensor]:
        self._follow(tokens.detach(), codes)
        return {"commitment": functional.mse_loss(tokens, vectors.detach())}

    @torch.no_grad()
    def _follow(self, tokens: Tensor, codes: Tensor) -> None:
        """Update every code with the tokens that chose it, then restart dead codes."""
        chosen = counts_by_code(codes, self.codebook_size, tokens.dtype)
        self.counts.lerp_(chosen, 1 - self.config.decay)
        self.sums.lerp_(sums_by_code(tokens, codes, self.codebook_size), 1 - self.config.decay)
        total = self.counts.sum()
        # Laplace smoothing avoids dividing by a vanishing count.
        smoothed = (self.counts + SMOOTHING) / (total + self.codebook_size * SMOOTHING) * total
        self.codebook.copy_(self.sums / smoothed[:, None])
        if self.config.restart_below > 0:
            self._restart_dead(tokens)
        self._finished_updates += 1
        self.updates.fill_(self._finished_updates)

    def _restart_dead(self, tokens: Tensor) -> None:
        mean_count = self.counts.mean()
        dead = self.counts < self.config.restart_below * mean_count
        # Seeded by the number of updates, which is saved with the weights: a resumed run draws the same tokens.
        generator = torch.Generator().manual_seed(self._finished_updates)
        drawn = torch.randint(len(tokens), (self.codebook_size,), generator=generator, pin_memory=tokens.is_cuda)
        restarted = tokens[drawn.to(tokens.device, non_blocking=True)]
        self.codebook.copy_(torch.where(dead[:, None], restarted, self.codebook))
        self.counts.copy_(torch.where(dead, mean_count, self.counts))
        self.sums.copy_(torch.where(dead[:, None], restarted * mean_count, self.sums))

    def _load_from_state_dict(self, *arguments: Any, **settings: Any) -> None:
        super()._load_from_state_dict(*arguments, **settings)
        self._finished_updates = int(self.updates)


def vector_losses(tokens: Tensor, vectors: Tensor) -> dict[str, Tensor]:
    """The codebook and commitment losses of tokens and their code vectors [N, D]: means over N and D."""
    return {
        "codebook": functional.mse_loss(vectors, tokens.detach()),
        "commitment": functional.mse_loss(tokens, vectors.detach()),
    }
