"""Codes as the components of a `Mixture` at a temperature that follows a schedule, as several methods have them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from .assignment import SoftAssignment, Softness
from .base import VectorQuantizerConfig, to_grid, to_tokens
from .capabilities import SoftQuantizer, StartsFromData, TakesCodebooks, require_vectors
from .initialization import INITIALIZATIONS, OnRound, initial_codebook, start_levels, tokens_needed, unheard
from .mixture import Mixture
from .temperature import TemperatureSchedule


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
        self.init_tokens = tokens_needed(config.codebook_size, config.initialization)
        self.codebook = nn.Parameter(torch.randn(config.codebook_size, dim, generator=generator))
        self._scheduled = config.scheduled(0.0, dim)

    @property
    def mixture(self) -> Mixture:
        """The codes as a mixture of equal components."""
        return Mixture(self.codebook)

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
        return self.mixture.assign(self._tokens(latents), temperature)

    def soft(self, latents: Tensor, temperature: float) -> Tensor:
        return to_grid(self.mixture.expected(self.soft_assign(latents, temperature)), latents)

    @torch.no_grad()
    def softness(self, latents: Tensor, temperature: float) -> Softness:
        assignment = self.soft_assign(latents, temperature)
        return self.mixture.softness(self._tokens(latents), assignment, temperature)

    def with_codebooks(self, codebooks: Sequence[Tensor]) -> Self:
        codebook = require_vectors(codebooks, self.dim)
        other = copy.deepcopy(self)
        other.levels = (len(codebook),)
        other.codebook = nn.Parameter(codebook.to(self.codebook).clone())
        return other

    def _tokens(self, latents: Tensor) -> Tensor:
        # Distances are taken in float32: under bfloat16 autocast codes would flip.
        return to_tokens(latents).to(self.codebook.dtype)
