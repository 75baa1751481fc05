"""OptVQ: VQ trained with optimal transport of tokens to codes, in which every code has a share of the batch.

Zhang et al. 2024, arXiv 2412.15195. Codes are c = W e + b, of a learned codebook e [K, D]. In training, a token's code
is the largest entry of its row in

    Q = Sinkhorn(exp(−ε d/s)),  ε = 10, five rounds,  d_nk = |z_n − c_k|,  s the standard deviation of d

so that hardly any code is left out. Codes are still not equally frequent, although their shares of Q are equal. The
gradient goes straight through, and

    commitment = mean (z − sg(c))²      codebook = mean (sg(z) − c)²

A token's code thus depends on the other tokens of its batch, and on their number, and so do codes and usage in the
history of training. In eval mode it does not: the code is the nearest one. The authors' code uses transport there, too,
so the reconstruction of a picture depends on the other pictures of its batch. Each of several processes would transport
its own tokens; in the authors' code they share the sums.

The defaults are those of the released models (configs/imagenet and src/optvq/models/quantizer.py in
github.com/zbr17/OptVQ at b71895c): commitment 1 and β = 0.25 on the codebook, e from k-means of the tokens, W drawn
from N(0, 1/D). They split each latent into four or eight parts that share the codebook; here a latent has one code. The
class in that file has other defaults, which no config uses: a code drawn from Q, and the cross-entropy of softmax(−d)
and the code. Its Sinkhorn adds 1e-8 to what it divides by, and loses codes beyond about nine s in float32; here it runs
in logarithms.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from ..base import Quantizer, QuantizerOutput, VectorQuantizerConfig, straight_through, to_grid, to_tokens
from ..capabilities import StartsFromData, TakesCodebooks, require_vectors
from ..drawn_layers import linear
from ..initialization import OnRound, initial_codebook, tokens_needed, unheard
from ..transport import transported_codes
from .vq import vector_losses


@dataclass(frozen=True)
class OptVQConfig(VectorQuantizerConfig):
    """VQ trained on codes by optimal transport, which gives every code its share of the batch."""

    method: ClassVar[str] = "optvq"
    default_loss_weights: ClassVar[dict[str, float]] = {"commitment": 1.0, "codebook": 0.25}
    training_differs: ClassVar[str] = "in training, codes are shared out among the tokens of a batch"

    sharpness: float = 10.0  # ε, of the transport, in standard deviations of the distances
    rounds: int = 5  # of Sinkhorn's iteration

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require("sharpness", 0 < self.sharpness < float("inf"), "give a positive number")
        self._require("rounds", self.rounds >= 1, "give at least 1; `vq-gradient` is the method without a transport")

    def build(self, dim: int, generator: torch.Generator | None = None) -> OptVQ:
        return OptVQ(dim, self, generator)


class OptVQ(StartsFromData, TakesCodebooks, Quantizer):
    """A code among K projected vectors [K, D]: by transport in training mode, and the nearest in eval mode."""

    def __init__(self, dim: int, config: OptVQConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(dim, [config.codebook_size])
        self.method, self.config = config.method, config
        self.init_tokens = tokens_needed(config.codebook_size)
        self.vectors = nn.Parameter(torch.randn(config.codebook_size, dim, generator=generator))
        projection = linear(dim, dim, generator)
        nn.init.normal_(projection.weight, std=dim**-0.5, generator=generator)
        self.projection: nn.Module = projection

    @torch.no_grad()
    def initialize(self, tokens: Tensor, generator: torch.Generator | None = None, on_round: OnRound = unheard) -> None:
        self.vectors.copy_(initial_codebook(tokens, self.codebook_size, "kmeans", generator, on_round))

    def forward(self, latents: Tensor) -> QuantizerOutput:
        tokens, codebook = to_tokens(self.continuous(latents)), self._projected()
        if not self.training:
            codes = self.metric.nearest(tokens, codebook)
            return QuantizerOutput(to_grid(codebook[codes], latents), to_grid(codes[:, None], latents))
        codes = transported_codes(tokens, codebook, self.config.sharpness, self.config.rounds)
        vectors = codebook[codes]
        quantized = straight_through(vectors.detach(), gradient_of=tokens)
        losses = vector_losses(tokens, vectors)
        return QuantizerOutput(to_grid(quantized, latents), to_grid(codes[:, None], latents), losses)

    @torch.no_grad()
    def codebooks(self) -> list[Tensor]:
        return [self._projected()]

    def continuous(self, latents: Tensor) -> Tensor:
        return latents.to(self.vectors.dtype)

    def with_codebooks(self, codebooks: Sequence[Tensor]) -> Self:
        codebook = require_vectors(codebooks, self.dim).to(self.vectors)
        other = copy.deepcopy(self)
        other.levels = (len(codebook),)
        other.vectors, other.projection = nn.Parameter(codebook.clone()), nn.Identity()
        return other

    def _projected(self) -> Tensor:
        # In float32, as the distances.
        with torch.autocast(self.vectors.device.type, enabled=False):
            return self.projection(self.vectors)
