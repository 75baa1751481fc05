"""No quantizer: the decoder sees the latents themselves, as in an autoencoder.

This is a point of reference. The loss of a method relative to it, with the same backbone and recipe, is the cost of its
codes. There is no codebook and there are no codes, so usage, bits and all other numbers of codes are undefined and
reported as such.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from ..base import Quantizer, QuantizerConfig, QuantizerOutput


@dataclass(frozen=True)
class NoneConfig(QuantizerConfig):
    """No quantizer, and no codes: the decoder sees the latents themselves, as a point of reference."""

    method: ClassVar[str] = "none"
    has_codes: ClassVar[bool] = False

    @property
    def size(self) -> int:
        return 0

    def resized(self, codebook_size: int) -> Self:
        return self  # so that one K can be given to all methods that are compared

    def build(self, dim: int, generator: torch.Generator | None = None) -> NoQuantizer:
        return NoQuantizer(dim)


class NoQuantizer(Quantizer):
    """Latents [B, D, H, W] as they are, with codes [B, 0, H, W]."""

    method = NoneConfig.method

    def __init__(self, dim: int) -> None:
        super().__init__(dim, [])

    def forward(self, latents: Tensor) -> QuantizerOutput:
        codes = torch.empty_like(latents[:, :0], dtype=torch.int64)
        return QuantizerOutput(latents, codes)

    def codebooks(self) -> list[Tensor]:
        return []

    def continuous(self, latents: Tensor) -> Tensor:
        return latents
