"""Tokens that are assigned softly to codes by squared distance, as methods with a temperature have in common.

With tokens z [N, D], codes c [K, D] and temperature τ:

    p_nk = softmax_k(−|z_n − c_k|²/τ)      q_soft = Σ_k p_nk c_k      dq_soft/dz = (2/τ) Cov_p(c)

p are the responsibilities of an isotropic Gaussian mixture with variance τ/2 and equal weights.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from .assignment import SoftAssignment, Softness, common_offset
from .base import VectorQuantizerConfig, to_grid, to_tokens
from .capabilities import SoftQuantizer, StartsFromData, TakesCodebooks, require_vectors
from .initialization import INITIALIZATIONS, OnRound, initial_codebook, start_levels, tokens_needed, unheard
from .soft_assignment.autograd import soft_assign
from .temperature import TemperatureSchedule


@dataclass(frozen=True)
class Products:
    """Logits as dot products: queries [N, D + 1], keys [K, D + 1], so that P = softmax(queries keysᵀ)."""

    queries: Tensor
    keys: Tensor


def products(tokens: Tensor, codes: Tensor, temperature: float | Tensor) -> Products:
    """−|z − c|²/τ of tokens z [N, D] and codes c [K, D], up to what all codes of a token have in common.

    Keys are [c, |c|²], with c measured from `common_offset(codes)`, which reduces rounding errors. temperature: a
    number, or a scalar with gradient.
    """
    origin = common_offset(codes)
    codes, tokens = codes - origin, tokens - origin
    keys = torch.cat([codes, codes.square().sum(1, keepdim=True)], dim=1)
    queries = torch.cat([2 * tokens, -torch.ones_like(tokens[:, :1])], dim=1) / temperature
    return Products(queries, keys)


def assign_softly(
    tokens: Tensor, codes: Tensor, temperature: float, drop: float = 0.0, finite: bool = False
) -> SoftAssignment:
    """Tokens [N, D] → their soft assignment to codes [K, D], as `soft_assign` describes it, without a table of N × K.

    `out` [N, D + 1] is the expectation of [c, |c|²], the keys of `products`.
    """
    logits = products(tokens, codes, temperature)
    return soft_assign(logits.queries, logits.keys, logits.keys, drop=drop, finite=finite)


def expected_codes(assignment: SoftAssignment, codes: Tensor) -> Tensor:
    """q_soft [N, D], from what `assign_softly` gives for codes [K, D]."""
    return assignment.out[:, :-1] + common_offset(codes)


@torch.no_grad()
def softness_of(tokens: Tensor, codes: Tensor, assignment: SoftAssignment, temperature: float) -> Softness:
    """The softness of tokens [N, D], from what `assign_softly` gives for them and codes [K, D]."""
    origin, hard = common_offset(codes), codes[assignment.codes]
    mean, mean_square, chosen = assignment.out[:, :-1], assignment.out[:, -1], hard - origin
    # Logits leave out |z|², which all codes have in common.
    mean_logit = (2 * ((tokens - origin) * mean).sum(1) - mean_square) / temperature
    largest_logit = (2 * ((tokens - origin) * chosen).sum(1) - chosen.square().sum(1)) / temperature
    return Softness(
        temperature=temperature,
        codes=assignment.codes,
        log_largest=(largest_logit - assignment.lse).clamp(max=0),
        entropy=(assignment.lse - mean_logit).clamp(min=0),
        encoder_gain=encoder_gain(assignment, temperature),
        soft=mean + origin,
        hard=hard.clone(),
    )


def encoder_gain(assignment: SoftAssignment, temperature: float) -> Tensor:
    """Mean diagonal of dq/dz = (2/τ) Cov_p(c) per token, [N]: the share of the decoder's gradient for the encoder.

    The straight-through estimator has gain 1. Computed from the expectation of [c, |c|²], `assignment.out` [N, D + 1].
    """
    mean, mean_square = assignment.out[:, :-1], assignment.out[:, -1]
    variance = (mean_square - mean.square().sum(1)).clamp(min=0)
    return 2 * variance / (temperature * mean.shape[1])


@dataclass(frozen=True)
class SoftCodebookConfig(VectorQuantizerConfig):
    """Settings of a method with one codebook, a start from data and a temperature schedule."""

    temperature_units: ClassVar[tuple[str, ...]] = ("absolute", "per_dimension")
    """Units of the schedule; by default those that are known without a batch to solve for the temperature."""

    temperature: TemperatureSchedule = field(default_factory=TemperatureSchedule)
    initialization: str = "kmeans++"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.temperature.unit not in self.temperature_units:
            raise ValueError(
                f"temperature.unit is {self.temperature.unit!r}: choose one of {', '.join(self.temperature_units)}"
            )
        self._require_choice("initialization", INITIALIZATIONS)
        start_levels(self.initialization, self.codebook_size)  # raises where K makes no grid

    def scheduled(self, progress: float, dim: int) -> float:
        """The temperature at `progress` in [0, 1], for tokens of width `dim`."""
        value = self.temperature.at(progress)
        return value * dim if self.temperature.unit == "per_dimension" else value

    def temperatures(self, dim: int) -> tuple[float, float]:
        return self.scheduled(0.0, dim), self.scheduled(1.0, dim)


class SoftCodebook(StartsFromData, TakesCodebooks, SoftQuantizer):
    """K codes [K, D], learned by gradient, to which tokens are assigned softly by squared distance.

    A method implements `forward`.
    """

    def __init__(self, dim: int, config: SoftCodebookConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(dim, [config.codebook_size])
        self.config, self.method = config, config.method
        self.init_tokens = tokens_needed(config.codebook_size)
        self.codebook = nn.Parameter(torch.randn(config.codebook_size, dim, generator=generator))
        self._scheduled = config.scheduled(0.0, dim)

    @property
    def scheduled_temperature(self) -> float:
        return self._scheduled

    @property
    def lattice(self) -> tuple[int, ...]:
        return start_levels(self.config.initialization, self.config.codebook_size, self.dim)

    def anneal(self, progress: float) -> None:
        self._scheduled = self.config.scheduled(progress, self.dim)

    @torch.no_grad()
    def initialize(self, tokens: Tensor, generator: torch.Generator | None = None, on_round: OnRound = unheard) -> None:
        initialization = self.config.initialization
        self.codebook.copy_(initial_codebook(tokens, self.codebook_size, initialization, generator, on_round))

    def codebooks(self) -> list[Tensor]:
        return [self.codebook.detach()]

    def continuous(self, latents: Tensor) -> Tensor:
        return to_grid(self._tokens(latents), latents)

    def soft_assign(self, latents: Tensor, temperature: float) -> SoftAssignment:
        return assign_softly(self._tokens(latents), self.codebook, temperature)

    def soft(self, latents: Tensor, temperature: float) -> Tensor:
        return to_grid(expected_codes(self.soft_assign(latents, temperature), self.codebook), latents)

    @torch.no_grad()
    def softness(self, latents: Tensor, temperature: float) -> Softness:
        assignment = self.soft_assign(latents, temperature)
        return softness_of(self._tokens(latents), self.codebook, assignment, temperature)

    def with_codebooks(self, codebooks: Sequence[Tensor]) -> Self:
        codebook = require_vectors(codebooks, self.dim)
        other = copy.deepcopy(self)
        other.levels = (len(codebook),)
        other.codebook = nn.Parameter(codebook.to(self.codebook).clone())
        return other

    def _tokens(self, latents: Tensor) -> Tensor:
        # Distances are taken in float32: under bfloat16 autocast codes would flip.
        return to_tokens(latents).to(self.codebook.dtype)
