"""FSQ: a fixed grid of codes behind a learned projection.

Finite Scalar Quantization, Mentzer et al. 2023, arXiv 2309.15505. Latents are projected from D to G = len(levels)
dimensions, bounded by tanh, and rounded; there is no learned codebook and no loss. With o = ½ for even L, 0 for odd L:

    bounded = h tanh(z + s) − o      digit = round(bounded) + ⌊L/2⌋      point = round(bounded)/⌊L/2⌋

Two bounds are in use, and ε = 0.001 in both:

    paper                    h = (L − 1)(1 − ε)/2      s = tan(o/h)       the authors' notebook and appendix A.1
    vector-quantize-pytorch  h = (L − 1)(1 + ε)/2      s = atanh(o/h)     the library that most have trained with

The notebook is fsq/fsq.ipynb in github.com/google-research/google-research. The default is the library's: its range
ends just beyond the outermost points, the paper's just before them, and 0 is bounded to exactly 0. With the levels
below, the other bound gives another code to 0.9 to 1.8 % of projected latents from N(0, 1), and to 0.7 to 1.4 % from
N(0, 2²).

Nothing normalises the projection: a LayerNorm over four dimensions would leave a quarter of the codes reachable. It
starts with orthogonal rows, which give independent latents independent digits: rows drawn at random are so correlated
that at D = 8 two seeds in five reach less than 95 % of 1000 codes.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from ..base import Quantizer, QuantizerConfig, QuantizerOutput, left_out_of_hash_at, straight_through
from ..drawn_layers import linear

PUBLISHED_LEVELS = {
    256: (8, 6, 5),
    1024: (8, 5, 5, 5),
    4096: (7, 5, 5, 5, 5),
    16384: (8, 8, 8, 6, 5),
    65536: (8, 8, 8, 5, 5, 5),
}
BOUNDS = ("vector-quantize-pytorch", "paper")
BOUND_MARGIN = 1e-3


@dataclass(frozen=True)
class Bound:
    """half_range · squashed(z + shift) − offset: what latents are before they are rounded; [G, 1, 1] each."""

    half_range: Tensor
    shift: Tensor


@dataclass(frozen=True)
class GridConfig(QuantizerConfig):
    """Settings of a method that rounds on a fixed grid; K is the product of the levels."""

    levels: tuple[int, ...] = PUBLISHED_LEVELS[1024]

    def __post_init__(self) -> None:
        self._require("levels", len(self.levels) >= 1, "give at least one level")
        # With two levels the grid {−1, 0} of this formula is lopsided; sign quantization is a method of its own.
        self._require("levels", min(self.levels, default=3) >= 3, "each level must be at least 3")
        # Beyond, the margin of FSQ's bound reaches half a step, and the outermost values would round out of the grid.
        self._require("levels", max(self.levels, default=3) < 1 / BOUND_MARGIN, "each level must be below 1000")

    @property
    def size(self) -> int:
        return math.prod(self.levels)

    def resized(self, codebook_size: int) -> Self:
        return replace(self, levels=nearest_levels(codebook_size))

    def for_raw_tokens(self, dim: int) -> Self:
        # A single level would project a plane to a line.
        return self if len(self.levels) >= min(dim, 2) else replace(self, levels=two_levels(self.size))

    def bound_of(self, sizes: Tensor, offset: Tensor) -> Bound:
        """The bound of each group, from its number of levels and the offset of its grid, both [G, 1, 1]."""
        raise NotImplementedError("abstract: a config implements bound_of")


@dataclass(frozen=True)
class FSQConfig(GridConfig):
    """FSQ with the published levels; K is their product (1000 for the default)."""

    method: ClassVar[str] = "fsq"

    bound: str = left_out_of_hash_at("vector-quantize-pytorch")  # of BOUNDS

    def __post_init__(self) -> None:
        self._require_choice("bound", BOUNDS)
        super().__post_init__()

    def bound_of(self, sizes: Tensor, offset: Tensor) -> Bound:
        if self.bound == "paper":
            half_range = (sizes - 1) * (1 - BOUND_MARGIN) / 2
            return Bound(half_range, torch.tan(offset / half_range))
        half_range = (sizes - 1) * (1 + BOUND_MARGIN) / 2
        return Bound(half_range, torch.atanh(offset / half_range))

    def build(self, dim: int, generator: torch.Generator | None = None) -> FSQ:
        return FSQ(dim, self, generator)


def nearest_levels(codebook_size: int) -> tuple[int, ...]:
    """The published levels for K, or else the levels whose product is nearest to K in ratio.

    The latter are from 5 to 8, as the published ones, for K ≥ 25, and from 3 to 8 below.
    """
    if codebook_size < 3:
        raise ValueError(f"codebook_size is {codebook_size}: an FSQ grid has at least 3 codes")
    if codebook_size in PUBLISHED_LEVELS:
        return PUBLISHED_LEVELS[codebook_size]
    levels = (8, 7, 6, 5) if codebook_size >= 25 else (8, 7, 6, 5, 4, 3)
    most_groups = math.ceil(math.log(codebook_size, levels[-1]))
    candidates = itertools.chain.from_iterable(
        itertools.combinations_with_replacement(levels, groups) for groups in range(1, most_groups + 1)
    )
    return min(candidates, key=lambda levels: abs(math.log(math.prod(levels) / codebook_size)))


def two_levels(codebook_size: int) -> tuple[int, int]:
    """Two levels of at least 3 whose product is nearest to K in ratio, as equal as possible; the larger first."""
    sides = range(3, max(3, codebook_size // 3) + 1)
    pairs = ((wide, high) for wide in sides for high in range(3, wide + 1))
    return min(pairs, key=lambda pair: (abs(math.log(pair[0] * pair[1] / codebook_size)), pair[0] - pair[1]))


class FSQ(Quantizer):
    """Rounding on a grid of `levels`, between two learned projections."""

    half_range: Tensor
    offset: Tensor
    shift: Tensor
    half_width: Tensor

    def __init__(self, dim: int, config: GridConfig, generator: torch.Generator | None = None) -> None:
        levels = config.levels
        super().__init__(dim, levels)
        self.method = config.method
        self.project_in = linear(dim, len(levels), generator)
        # The variance that a linear layer starts with.
        nn.init.orthogonal_(self.project_in.weight, gain=3**-0.5, generator=generator)
        self.project_out = linear(len(levels), dim, generator)
        sizes = torch.tensor(levels, dtype=torch.float32)[:, None, None]  # [G, 1, 1], over the grid of latents
        offset = torch.where(sizes % 2 == 0, 0.5, 0.0)
        bound = config.bound_of(sizes, offset)
        self.register_buffer("half_range", bound.half_range, persistent=False)
        self.register_buffer("offset", offset, persistent=False)
        self.register_buffer("shift", bound.shift, persistent=False)
        self.register_buffer("half_width", (sizes / 2).floor(), persistent=False)

    def forward(self, latents: Tensor) -> QuantizerOutput:
        bounded = self._bounded(latents)
        rounded = bounded.round()
        points = straight_through(rounded, gradient_of=bounded) / self.half_width
        return QuantizerOutput(self.decoder_input(points), (rounded + self.half_width).long())

    @property
    def learned_groups(self) -> tuple[int, ...]:
        return ()

    @property
    def lattice(self) -> tuple[int, ...]:
        return self.levels if len(self.levels) > 1 else ()

    def codebooks(self) -> list[Tensor]:
        grids = (torch.arange(level).to(self.half_width) - level // 2 for level in self.levels)
        return [grid[:, None] / (level // 2) for grid, level in zip(grids, self.levels, strict=True)]

    def continuous(self, latents: Tensor) -> Tensor:
        return self._bounded(latents) / self.half_width

    def _assign_each_group(self, points: Tensor) -> Tensor:
        # `forward` rounds in steps of the grid, and stays on it. Points given here are in units of `half_width`, and
        # may lie outside of the grid, as k-means centres do.
        half_width, last = self.half_width[:, 0, 0], torch.tensor(self.levels, device=points.device) - 1
        return ((points * half_width).round() + half_width).long().clamp(min=torch.zeros_like(last), max=last)

    def decoder_input(self, points: Tensor) -> Tensor:
        return self.project_out(points.movedim(1, -1)).movedim(-1, 1)

    def _bounded(self, latents: Tensor) -> Tensor:
        """[B, D, H, W] → [B, G, H, W], bounded, in steps of the grid; in float32 even under autocast."""
        with torch.autocast(latents.device.type, enabled=False):
            projected = self.project_in(latents.movedim(1, -1).to(self.project_in.weight.dtype)).movedim(-1, 1)
        return self.half_range * self._squashed(projected + self.shift) - self.offset

    def _squashed(self, shifted: Tensor) -> Tensor:
        """Any numbers → numbers in [−1, 1]."""
        return torch.tanh(shifted)
