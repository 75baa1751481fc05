"""RVQ: stages of VQ, each of which quantizes the residual of the previous ones.

Residual vector quantization as in SoundStream (Zeghidour et al. 2021, arXiv 2107.03312) and RQ-VAE (Lee et al. 2022,
arXiv 2203.01941). Each of G stages is a codebook of `vq`, which follows moving averages of the residuals that choose
its codes. The decoder sees the sum of the chosen codes, z_q, and its gradient goes straight through to the latents:

    r_1 = z      r_(g+1) = r_g − c_(g, k_g)      z_q = Σ_g c_(g, k_g)
    commitment = mean_g mean (r_g − sg(c_(g, k_g)))² = mean_g mean (z − sg(Σ_(i≤g) c_(i, k_i)))²

with residuals in which the latents alone have a gradient. Stages of K^(1/G) vectors make K joint codes: two of 32 make
1024. The number of used codes of a stage and the number of used joint codes differ.

The mean over the stages, its weight 0.25, the decay of 0.99, and a gradient that reaches the latents once are those of
RQ-VAE (rqvae/models/rqvae/quantizations.py in github.com/kakaobrain/rq-vae-transformer at 341395e). Its ImageNet runs
have four stages, which share a codebook of 16,384 vectors; here each stage has its own, as in SoundStream, and codes
restart as those of `vq`, at residuals of their stage. In vector-quantize-pytorch the latents receive the decoder's
gradient from every stage, G times.

`dropout` is SoundStream's quantizer dropout, with one number of stages for a whole batch, as in EnCodec
(github.com/facebookresearch/encodec at 0e2d0ae). In that share of the steps only the first n stages are used,
n = 1 … G equally often, so that the first codes alone are worth decoding. The stages left out do not learn in that
step; their codes are reported all the same.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from ..base import QuantizerConfig, QuantizerOutput, straight_through, to_grid, to_tokens
from ..capabilities import StartsFromData, TakesCodebooks, require_codebooks
from ..initialization import OnRound, unheard
from ..residual_stack import MOST_STAGES, ResidualStack, nearest_power
from ..step_counter import StepCounter
from .vq import MovingAverageVQ, VQConfig

GOLDEN_RATIO = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class RVQConfig(QuantizerConfig):
    """Residual VQ: stages whose vectors add up. K counts joint codes and is the stages' power of a whole number."""

    method: ClassVar[str] = "rvq"
    default_loss_weights: ClassVar[dict[str, float]] = {"commitment": 0.25}

    codebook_size: int = 1024  # K, joint codes
    stages: int = 2  # G
    initialization: str = "kmeans"
    decay: float = 0.99  # of the moving averages, per step
    restart_below: float = 0.05  # share of the mean count under which a code restarts at a random residual; 0: never
    dropout: float = 0.0  # share of steps in which only the first stages are used

    def __post_init__(self) -> None:
        self._require("stages", 1 <= self.stages <= MOST_STAGES, f"give 1 to {MOST_STAGES}")
        self._require("codebook_size", self.codebook_size >= 2**self.stages, self._fewest())
        nearest = nearest_power(self.codebook_size, self.stages) ** self.stages
        self._require(
            "codebook_size", self.codebook_size == nearest, f"{self.stages} stages of equal size make {nearest} codes"
        )
        self._require("dropout", 0 <= self.dropout <= 1, "give a share in [0, 1]")
        _ = self.of_a_stage  # raises for the settings that both have

    @property
    def of_a_stage(self) -> VQConfig:
        """The settings of each stage, with its K^(1/G) codes."""
        codes = nearest_power(self.codebook_size, self.stages)
        return VQConfig(codes, self.initialization, self.decay, self.restart_below)

    @property
    def size(self) -> int:
        return self.codebook_size

    def resized(self, codebook_size: int) -> Self:
        if codebook_size < 2**self.stages:
            raise ValueError(f"codebook_size is {codebook_size}: {self._fewest()}")
        return replace(self, codebook_size=nearest_power(codebook_size, self.stages) ** self.stages)

    def learned_shapes(self, dim: int) -> list[tuple[int, ...]]:
        return [(self.of_a_stage.codebook_size, dim)] * self.stages

    def build(self, dim: int, generator: torch.Generator | None = None) -> RVQ:
        return RVQ(dim, self, generator)

    def _fewest(self) -> str:
        return f"{self.stages} stages have at least {2**self.stages} joint codes"


class RVQ(StartsFromData, TakesCodebooks, ResidualStack):
    """Stages of codes [K_g, D], each a `MovingAverageVQ` of what is left."""

    def __init__(self, dim: int, config: RVQConfig, generator: torch.Generator | None = None) -> None:
        of_a_stage = config.of_a_stage
        super().__init__(dim, [of_a_stage.codebook_size] * config.stages)
        self.method, self.config = config.method, config
        self.stages = nn.ModuleList(MovingAverageVQ(dim, of_a_stage, generator) for _ in range(config.stages))
        self.init_tokens = self._vqs[0].init_tokens
        self.steps = StepCounter()

    @torch.no_grad()
    def initialize(self, tokens: Tensor, generator: torch.Generator | None = None, on_round: OnRound = unheard) -> None:
        rest, count = tokens, len(self._vqs)
        for finished_stages, stage in enumerate(self._vqs):

            def on_round_of_all(finished: int, rounds: int, before: int = finished_stages) -> None:
                on_round(before * rounds + finished, count * rounds)

            stage.initialize(rest, generator, on_round_of_all)
            rest = rest - stage.codebook[stage.assign(rest)[:, 0]]

    def forward(self, latents: Tensor) -> QuantizerOutput:
        points = self.continuous(latents)
        if not self.training:
            codes = to_grid(self.assign(to_tokens(points)), latents)
            return QuantizerOutput(self.lookup(codes), codes)
        used = self._used_stages()
        coded, rest = [], points
        for stage in self._vqs[:used]:
            coded.append(stage(rest))
            rest = rest - coded[-1].quantized.detach()
        commitment = torch.stack([of_stage.losses["commitment"] for of_stage in coded]).mean()
        quantized = straight_through((points - rest).detach(), gradient_of=points)
        codes_of_stages, left_out = [of_stage.codes for of_stage in coded], rest.detach()
        for stage in self._vqs[used:]:
            codes_of_stages.append(to_grid(stage.assign(to_tokens(left_out)), latents))
            left_out = left_out - stage.discrete(codes_of_stages[-1])
        return QuantizerOutput(quantized, torch.cat(codes_of_stages, dim=1), {"commitment": commitment})

    def codebooks(self) -> list[Tensor]:
        return [stage.codebook for stage in self._vqs]

    def continuous(self, latents: Tensor) -> Tensor:
        return latents.to(self._vqs[0].codebook.dtype)

    def with_codebooks(self, codebooks: Sequence[Tensor]) -> Self:
        books = require_codebooks(codebooks, [self.dim] * len(self.stages))
        other = copy.deepcopy(self)
        other.stages = nn.ModuleList(stage.with_codebooks([book]) for stage, book in zip(self._vqs, books, strict=True))
        other.levels = tuple(len(book) for book in books)
        return other

    @property
    def _vqs(self) -> list[MovingAverageVQ]:
        """The stages, in order, with their type."""
        return [stage for stage in self.stages if isinstance(stage, MovingAverageVQ)]

    def _used_stages(self) -> int:
        """How many stages this step uses, by quantizer dropout: a function of the number of steps alone.

        That number is saved with the weights, so that a resumed run goes on alike, and all processes have the same.
        """
        stages, dropout = len(self.stages), self.config.dropout
        # Multiples of the golden ratio are spread evenly over [0, 1), in any stretch of steps.
        place = self.steps.advance() * GOLDEN_RATIO % 1
        return stages if place >= dropout else min(stages, 1 + int(stages * place / dropout))
