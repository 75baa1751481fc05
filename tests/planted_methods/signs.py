"""Signs of a learned projection, without a lookup; 36 make 2^36 joint codes (Yu et al. 2023, arXiv 2310.05737)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from lgq_explore.quantizers import Quantizer, QuantizerConfig, QuantizerOutput, to_grid, to_tokens
from lgq_explore.quantizers.base import straight_through
from lgq_explore.quantizers.drawn_layers import linear


@dataclass(frozen=True)
class SignsConfig(QuantizerConfig):
    """Signs of a projection; K is 2 to their number."""

    method: ClassVar[str] = "planted-signs"

    signs: int = 36  # G

    def __post_init__(self) -> None:
        self._require("signs", self.signs >= 1, "give at least one")

    @property
    def size(self) -> int:
        return 2**self.signs

    def resized(self, codebook_size: int) -> Self:
        if codebook_size < 2:
            raise ValueError(f"codebook_size is {codebook_size}: a sign has 2 codes")
        return replace(self, signs=(codebook_size - 1).bit_length())

    def build(self, dim: int, generator: torch.Generator | None = None) -> Signs:
        return Signs(dim, self, generator)


class Signs(Quantizer):
    """One bit per direction of a learned projection, between two linear layers."""

    def __init__(self, dim: int, config: SignsConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(dim, [2] * config.signs)
        self.project_in = linear(dim, config.signs, generator)
        self.project_out = linear(config.signs, dim, generator)

    @property
    def learned_groups(self) -> tuple[int, ...]:
        return ()

    def forward(self, latents: Tensor) -> QuantizerOutput:
        projected = self.continuous(latents)
        codes = to_grid(self.assign(to_tokens(projected)), latents)
        points = straight_through(self.discrete(codes), gradient_of=projected)
        return QuantizerOutput(self.decoder_input(points), codes)

    def codebooks(self) -> list[Tensor]:
        weight = self.project_in.weight.detach()
        return [torch.tensor([[-1.0], [1.0]], dtype=weight.dtype, device=weight.device)] * len(self.levels)

    def continuous(self, latents: Tensor) -> Tensor:
        with torch.autocast(latents.device.type, enabled=False):
            return self.project_in(latents.movedim(1, -1).to(self.project_in.weight.dtype)).movedim(-1, 1)

    def decoder_input(self, points: Tensor) -> Tensor:
        return self.project_out(points.movedim(1, -1)).movedim(-1, 1)
