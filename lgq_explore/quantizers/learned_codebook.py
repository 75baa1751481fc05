"""What methods have in common whose K code vectors are a parameter that nothing but its gradient starts or projects."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Self

from torch import Tensor, nn

from .base import Quantizer
from .capabilities import TakesCodebooks, require_vectors


class LearnedCodebook(TakesCodebooks, Quantizer):
    """One code a position, out of a learned codebook [K, D] that is given at the start."""

    def __init__(self, dim: int, method: str, codebook: Tensor) -> None:
        super().__init__(dim, [len(codebook)])
        self.method = method
        self.codebook = nn.Parameter(codebook)

    def codebooks(self) -> list[Tensor]:
        return [self.codebook.detach()]

    def continuous(self, latents: Tensor) -> Tensor:
        return latents.to(self.codebook.dtype)

    def with_codebooks(self, codebooks: Sequence[Tensor]) -> Self:
        codebook = require_vectors(codebooks, self.dim).to(self.codebook)
        other = copy.deepcopy(self)
        other.levels = (len(codebook),)
        other.codebook = nn.Parameter(codebook.clone())
        return other
