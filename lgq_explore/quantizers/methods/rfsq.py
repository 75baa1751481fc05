"""RFSQ: stages of FSQ, each of which rounds the residual of the previous ones on a finer grid.

Residual finite scalar quantization, as in vector-quantize-pytorch, and Zhu et al. 2025, arXiv 2508.15860. Latents are
projected from D to P = len(levels) dimensions and bounded once. Each stage has the L evenly spaced points of [−1, 1] in
every dimension, moved to its centre m_g and scaled by s_g, and takes the nearest; the decoder sees the sum:

    z = c tanh(projected/c), c = L/(L − 1)      grid = {−1, −1 + 2/(L − 1), …, 1}^P
    r_1 = z      q_g = m_g + s_g nearest((r_g − m_g)/s_g)      r_(g+1) = r_g − q_g      z_q = Σ_g q_g

There is no learned codebook and no loss; the decoder's gradient goes straight through to z. A stage left with the
residuals of another, which are at most half a step, would use hardly any of its points at s_g = 1. `conditioning`
selects the remedy:

    levels         m_g = 0      s_g = L^(1 − g), as in vector-quantize-pytorch
    standardized   m_g and s_g from running means and variances of r_g, z = projected
    none           m_g = 0      s_g = 1

With `levels` a stage's grid fills the cells of the one before it: the sums are L^G evenly spaced points in each
dimension, of which the codes are the digits, and the greedy search finds the nearest of all sums.

`standardized` is the invertible LayerNorm of Zhu et al. with constants. In their code (quantizers/rfsq.py in
github.com/zhuxiaoxuhit/robust_rfsq at 862db17) a stage has the mean and variance of each picture's residuals, which the
decoder needs beside the codes; the newest version of the paper speaks of constants that are fixed after training. There
FSQ's own bound puts the outermost points at one standard deviation. Here a stage clamps, and its cells reach as far as
an even spread of the same variance, √3 σ: four levels then leave 0.126 of the variance of normal residuals, the best
even grid 0.119, and one that ends at σ 0.176. Running averages start at the first tokens, and move by 1 − `decay` of
the way to those of a step. The other conditioning of Zhu et al., a learned scale of each stage, is not offered.

Their configurations are two stages of 2048 codes, and four of 1024 with `levels=[4, 4, 4, 4, 4]`.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from lgq_explore.errors import InputError

from ..base import QuantizerConfig, QuantizerOutput, straight_through, to_grid, to_tokens
from ..capabilities import StartsFromData, TakesCodebooks, require_codebooks
from ..distributed_mean import mean_over_processes
from ..drawn_layers import linear
from ..initialization import OnRound, unheard
from ..plain_tokens import as_latents
from ..residual_stack import MOST_STAGES, ResidualStack

CONDITIONINGS = ("levels", "standardized", "none")
LARGEST_STAGE = 2**16
"""The most codes of a stage, whose points are listed."""
START_TOKENS = 256
"""Tokens from which running means and variances start."""


@dataclass(frozen=True)
class RFSQConfig(QuantizerConfig):
    """Residual FSQ: stages of the same grid, each scaled to what is left. K is the product of the levels of all."""

    method: ClassVar[str] = "rfsq"

    levels: tuple[int, ...] = (4, 4, 2)  # L, of each stage
    stages: int = 2  # G
    conditioning: str = "levels"  # of CONDITIONINGS
    decay: float = 0.99  # of the running means and variances, per step

    def __post_init__(self) -> None:
        self._require("levels", len(self.levels) >= 1, "give at least one level")
        self._require("levels", min(self.levels, default=2) >= 2, "each level must be at least 2")
        self._require("levels", math.prod(self.levels) <= LARGEST_STAGE, f"a stage has at most {LARGEST_STAGE} codes")
        self._require("stages", 1 <= self.stages <= MOST_STAGES, f"give 1 to {MOST_STAGES}")
        self._require_choice("conditioning", CONDITIONINGS)
        self._require("decay", 0 <= self.decay < 1, "give a number in [0, 1)")

    @property
    def size(self) -> int:
        return math.prod(self.levels) ** self.stages

    def resized(self, codebook_size: int) -> Self:
        return replace(self, levels=nearest_stage_levels(codebook_size, self.stages))

    def for_raw_tokens(self, dim: int) -> Self:
        # A single level would project a plane to a line.
        return self if len(self.levels) >= min(dim, 2) else replace(self, levels=(2, 2))

    def build(self, dim: int, generator: torch.Generator | None = None) -> RFSQ:
        made = StandardizedRFSQ if self.conditioning == "standardized" else RFSQ
        return made(dim, self, generator)


def nearest_stage_levels(codebook_size: int, stages: int) -> tuple[int, ...]:
    """Levels from 2 to 5 of each stage, such that all stages make the number of codes nearest to K in ratio.

    Of several the fewest, and the most equal of these. Raises ValueError if a stage has less than 2 codes or more than
    LARGEST_STAGE.
    """
    if not 2**stages <= codebook_size <= LARGEST_STAGE**stages:
        bounds = f"from {2**stages} to {LARGEST_STAGE**stages} joint codes"
        raise ValueError(f"codebook_size is {codebook_size}: {stages} stages have {bounds}")
    wanted = math.log(codebook_size) / stages
    candidates = itertools.chain.from_iterable(
        itertools.combinations_with_replacement((5, 4, 3, 2), dimensions)
        for dimensions in range(1, math.ceil(wanted / math.log(2)) + 1)
    )
    allowed = (levels for levels in candidates if math.prod(levels) <= LARGEST_STAGE)

    def preferred(levels: tuple[int, ...]) -> tuple[float, int, int]:
        return round(abs(math.log(math.prod(levels)) - wanted), 9), len(levels), max(levels)

    return min(allowed, key=preferred)


class RFSQ(ResidualStack):
    """Stages of grids [K_g, P] with fixed scales, between two learned projections."""

    grid: Tensor
    reach: Tensor
    centres: Tensor
    scales: Tensor

    def __init__(self, dim: int, config: RFSQConfig, generator: torch.Generator | None = None) -> None:
        levels, stages = config.levels, config.stages
        super().__init__(dim, [math.prod(levels)] * stages)
        self.method, self.config = config.method, config
        self.project_in = linear(dim, len(levels), generator)
        # Orthogonal rows in the variance that a linear layer starts with, as for FSQ.
        nn.init.orthogonal_(self.project_in.weight, gain=3**-0.5, generator=generator)
        self.project_out = linear(len(levels), dim, generator)
        sizes = torch.tensor(levels, dtype=torch.float32)
        axes = [torch.linspace(-1, 1, level) for level in levels]
        shrinking = 1.0 if config.conditioning == "none" else sizes
        self.register_buffer("grid", torch.cartesian_prod(*axes).view(-1, len(levels)), persistent=False)
        self.register_buffer("reach", sizes / (sizes - 1), persistent=False)  # [P], half the width of all cells
        self.register_buffer("centres", torch.zeros(stages, len(levels)))
        self.register_buffer("scales", torch.stack([torch.ones_like(sizes) * shrinking**-g for g in range(stages)]))

    def forward(self, latents: Tensor) -> QuantizerOutput:
        points = self.continuous(latents)
        tokens = to_tokens(points)
        codes = self.assign(tokens)
        code_grid = to_grid(codes, latents)
        vectors = self.discrete(code_grid)
        if not self.training:
            return QuantizerOutput(self.decoder_input(vectors), code_grid)
        self._follow(tokens.detach(), codes)
        return QuantizerOutput(self.decoder_input(straight_through(vectors, gradient_of=points)), code_grid)

    def _follow(self, tokens: Tensor, codes: Tensor) -> None:
        """Learn from tokens [N, P] and their codes [N, G]: nothing, with fixed scales."""

    @property
    def learned_groups(self) -> tuple[int, ...]:
        return ()

    def codebooks(self) -> list[Tensor]:
        return [centre + scale * self.grid for centre, scale in zip(self.centres, self.scales, strict=True)]

    def continuous(self, latents: Tensor) -> Tensor:
        with torch.autocast(latents.device.type, enabled=False):  # in float32, as the codes
            projected = self.project_in(latents.movedim(1, -1).to(self.project_in.weight.dtype))
        return self._bounded(projected).movedim(-1, 1)

    def decoder_input(self, points: Tensor) -> Tensor:
        return self.project_out(points.movedim(1, -1)).movedim(-1, 1)

    def _bounded(self, projected: Tensor) -> Tensor:
        """Any numbers [..., P] → numbers within the cells of the grid."""
        return self.reach * torch.tanh(projected / self.reach)


class StandardizedRFSQ(StartsFromData, TakesCodebooks, RFSQ):
    """Stages whose grids have the running means and standard deviations of what they quantize."""

    init_tokens = START_TOKENS

    @torch.no_grad()
    def initialize(self, tokens: Tensor, generator: torch.Generator | None = None, on_round: OnRound = unheard) -> None:
        rest = to_tokens(self.continuous(as_latents(tokens)))
        for stage in range(len(self.levels)):
            self._move(stage, rest, share=1.0)
            book = self.codebooks()[stage]
            rest = rest - book[self.metric.nearest(rest, book)]

    @property
    def learned_groups(self) -> tuple[int, ...]:
        return tuple(range(len(self.levels)))

    def with_codebooks(self, codebooks: Sequence[Tensor]) -> Self:
        books = require_codebooks(codebooks, [self.grid.shape[1]] * len(self.levels))
        if any(len(book) != len(self.grid) for book in books):
            raise InputError(f"the codebooks have {[len(book) for book in books]} codes: give {len(self.grid)} each")
        first, last = (torch.stack([book[end] for book in books]).to(self.grid) for end in (0, -1))
        other = copy.deepcopy(self)
        other.centres, other.scales = (first + last) / 2, (last - first) / 2
        return other

    @torch.no_grad()
    def _follow(self, tokens: Tensor, codes: Tensor) -> None:
        rest = tokens
        for stage, book in enumerate(self.codebooks()):
            self._move(stage, rest, share=1 - self.config.decay)
            rest = rest - book[codes[:, stage]]

    def _move(self, stage: int, rest: Tensor, share: float) -> None:
        """Move a stage's grid by a `share` of the way to what residuals [N, P], of all processes, say."""
        mean, mean_square = mean_over_processes(torch.stack([rest.mean(0), rest.square().mean(0)]))
        variance = (mean_square - mean.square()).clamp(min=0)
        # Numbers spread evenly over cells that reach to ± reach · scale have the variance (reach · scale)²/3.
        of_scale = (self.reach * self.scales[stage]).square() / 3
        self.centres[stage].lerp_(mean, share)
        self.scales[stage] = (3 * of_scale.lerp(variance, share)).sqrt() / self.reach

    def _bounded(self, projected: Tensor) -> Tensor:
        return projected
