"""Deterministic annealing after training: codes fitted to the latents of an autoencoder, from hot to cold.

Rose, Gurewitz & Fox 1990; Rose 1998, "Deterministic annealing for clustering, compression, classification, regression".
This is a point of reference, like `kmeans`: there are no codes while the encoder is trained, and then the decoder is
tuned to them. All K codes start at the mean of the latents. The temperature τ falls from τ_c = 2 λ_max(cov z), above
which they all coincide, and at each of its values every code becomes the mean of the tokens, weighted by its
responsibilities, a few times:

    p_nk ∝ exp(−|z_n − c_k|²/τ)      c_k = Σ_n p_nk z_n / Σ_n p_nk

So codes split one after the other, where the latents vary most, and no initialization has to be chosen. Rounds of
k-means, which is the same at τ = 0, come last.

Codes at the same place have equal responsibilities. When they split, about half of them go to either side, however many
are needed there, and slower cooling does not change that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..annealing import annealing, critical_temperature
from ..initialization import OnRound, lloyd
from ..post_hoc import PostHocConfig, PostHocQuantizer


@dataclass(frozen=True)
class AnnealedConfig(PostHocConfig):
    """Deterministic annealing on the latents of a trained encoder, with the decoder tuned, as a point of reference."""

    method: ClassVar[str] = "annealed"

    cooling: float = 0.9  # each temperature as a share of the one before
    coldest: float = 0.01  # the last temperature as a share of τ_c
    iterations: int = 3  # at each temperature
    rounds: int = 30  # of Lloyd, at the end

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("cooling", "coldest"):
            self._require(name, 0 < getattr(self, name) < 1, "give a share between 0 and 1")
        self._require("iterations", self.iterations >= 1, "give at least 1")
        self._require("rounds", self.rounds >= 0, "give at least 0")

    def temperatures_from(self, critical: float) -> list[float]:
        """From τ_c = `critical` down to the first that is as cold as `coldest`, or colder."""
        count = math.ceil(math.log(self.coldest) / math.log(self.cooling)) + 1
        return [critical * self.cooling**number for number in range(count)]

    def build(self, dim: int, generator: torch.Generator | None = None) -> Annealed:
        return Annealed(dim, self, generator)


class Annealed(PostHocQuantizer):
    """The nearest of K codes that were annealed."""

    def __init__(self, dim: int, config: AnnealedConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(dim, config, generator)
        self.config = config

    def fitted_codes(self, tokens: Tensor, generator: torch.Generator | None, on_round: OnRound) -> Tensor:
        config, critical = self.config, critical_temperature(tokens)
        centres = tokens.mean(0).expand(self.codebook_size, -1)
        temperatures = config.temperatures_from(critical) if critical > 0 else []  # equal tokens have one centre
        way = annealing(tokens, self.codebook_size, temperatures, config.iterations, generator)
        for finished, state in enumerate(way, start=1):
            centres = state.centres
            on_round(finished, len(temperatures))
        return lloyd(tokens, centres, config.rounds, on_round)
