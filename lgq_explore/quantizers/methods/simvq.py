"""SimVQ: frozen codes that a learned map moves together.

Zhu et al. 2024, arXiv 2411.02038. A random codebook e [K, D] ~ N(0, 1/√D) never changes; the codes are c = W e, so that
every step moves every code, used or not. z is assigned to the nearest c, with the straight-through gradient and

    codebook = mean (sg(z) − c)²      commitment = mean (z − sg(c))²

The paper writes the map without a bias, and vector-quantize-pytorch has none. The authors' code has one, c = W e + b,
which moves all codes together (taming/modules/vqvae/quantize.py in github.com/youngsheen/SimVQ). The default is the
paper's formula; `bias` selects the code's.

`simvq-mlp` has the map D–2D–D that LGQ's authors offer for SimVQ (github.com/KurbanIntelligenceLab/LGQ), and their
weights of the losses. It is not the baseline that they ran: there a LayerNorm precedes every quantizer, and the
gradient is rotated (arXiv 2410.06424), while it goes straight through here.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from ..base import (
    Quantizer,
    QuantizerOutput,
    VectorQuantizerConfig,
    left_out_of_hash_at,
    straight_through,
    to_grid,
    to_tokens,
)
from ..capabilities import TakesCodebooks, require_vectors
from ..drawn_layers import linear
from .vq import vector_losses


@dataclass(frozen=True)
class SimVQConfig(VectorQuantizerConfig):
    """SimVQ by its paper's formula: one linear map, commitment weight 0.25. `bias=true` is the authors' code."""

    method: ClassVar[str] = "simvq"
    default_loss_weights: ClassVar[dict[str, float]] = {"codebook": 1.0, "commitment": 0.25}

    bias: bool = left_out_of_hash_at(False)  # of the linear map

    def build(self, dim: int, generator: torch.Generator | None = None) -> SimVQ:
        return SimVQ(dim, self, linear(dim, dim, generator, bias=self.bias), generator)


@dataclass(frozen=True)
class SimVQMLPConfig(VectorQuantizerConfig):
    """SimVQ with the two layers and tenfold losses of LGQ's authors, without their LayerNorm and rotation trick."""

    method: ClassVar[str] = "simvq-mlp"
    default_loss_weights: ClassVar[dict[str, float]] = {"codebook": 10.0, "commitment": 2.5}

    def build(self, dim: int, generator: torch.Generator | None = None) -> SimVQ:
        mapping = nn.Sequential(linear(dim, 2 * dim, generator), nn.ReLU(), linear(2 * dim, dim, generator))
        return SimVQ(dim, self, mapping, generator)


class SimVQ(TakesCodebooks, Quantizer):
    """Nearest code among K frozen vectors moved by `mapping`, a module from [K, D] to [K, D]."""

    frozen: Tensor

    def __init__(
        self, dim: int, config: VectorQuantizerConfig, mapping: nn.Module, generator: torch.Generator | None = None
    ) -> None:
        codebook_size = config.codebook_size
        super().__init__(dim, [codebook_size])
        self.method = config.method
        self.mapping = mapping
        self.register_buffer("frozen", torch.randn(codebook_size, dim, generator=generator) * dim**-0.5)

    def forward(self, latents: Tensor) -> QuantizerOutput:
        tokens = to_tokens(latents)
        codebook = self._mapped()
        codes = self.metric.nearest(tokens, codebook)
        vectors = codebook[codes]
        code_grid = to_grid(codes[:, None], latents)
        if not self.training:
            return QuantizerOutput(to_grid(vectors, latents), code_grid)
        quantized = straight_through(vectors.detach(), gradient_of=tokens)
        return QuantizerOutput(to_grid(quantized, latents), code_grid, vector_losses(tokens, vectors))

    @torch.no_grad()
    def codebooks(self) -> list[Tensor]:
        return [self._mapped()]

    def continuous(self, latents: Tensor) -> Tensor:
        return latents

    def with_codebooks(self, codebooks: Sequence[Tensor]) -> Self:
        codebook = require_vectors(codebooks, self.dim).to(self.frozen)
        other = copy.deepcopy(self)
        other.levels = (len(codebook),)
        other.frozen, other.mapping = codebook.clone(), nn.Identity()
        return other

    def _mapped(self) -> Tensor:
        # In float32, as the distances.
        with torch.autocast(self.frozen.device.type, enabled=False):
            return self.mapping(self.frozen)
