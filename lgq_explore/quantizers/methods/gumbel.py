"""Gumbel-softmax: a learned layer gives each token logits of K codes, and training uses a relaxed sample of them.

Jang et al. 2016, arXiv 1611.01144; as the discrete VAE of DALL·E, Ramesh et al. 2021, arXiv 2102.12092. With tokens z
[N, D], weights w [K, D] and biases b [K] of a 1 × 1 convolution, embeddings e [K, D], Gumbel noise g, and a
temperature τ:

    l_nk = z_n·w_k + b_k      y = softmax_k((l + g)/τ)      q = Σ_k y_nk e_k
    kl = mean_n KL(softmax(l) ‖ uniform) = log K − mean_n H(softmax(l))

The decoder sees the relaxed draw q in training, and at evaluation the embedding of the largest logit. The loss `kl`
keeps each token's softmax wide. The head has K (D + 1) weights beside the K D of the embeddings.

The weights that choose a code and the embedding that the decoder sees are learned separately, so **there is no space in
which tokens are near their codes**: maps, cells and k-means of a codebook are undefined, and say so (`no_geometry`).
Nearness is nevertheless well-defined: the larger the logit, the nearer. A point of this method is [z, 1, q̄], its code
[w, b, e], so that −logit is a dot product of their first D + 1 coordinates, and the last D are what the decoder sees;
q̄ = Σ softmax(l) e.

The schedule 1 → 1/16 along a cosine is DALL·E's, which has it over 150,000 of 3 million steps; here it is over the run.
The weight of `kl`, and embeddings that start as N(0, 1), are those of dvq/model/quantize.py in
github.com/karpathy/deep-vector-quantization at 9b45ea3, as taken over by CompVis/taming-transformers, both for means
over tokens; DALL·E's 6.6 is for sums over an image. Both add a straight-through option that is left out here: the
decoder sees the relaxed draw, as DALL·E's did.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..base import Quantizer, QuantizerOutput, VectorQuantizerConfig, to_grid, to_tokens
from ..capabilities import HasTemperature, TakesCodebooks, require_vectors
from ..drawn_layers import linear
from ..entropies import soft_entropies
from ..gumbel_softmax import gumbel_softmax
from ..nearest import Metric
from ..soft_assignment.autograd import soft_assign
from ..step_counter import StepCounter
from ..temperature import TemperatureSchedule


@dataclass(frozen=True)
class GumbelConfig(VectorQuantizerConfig):
    """Gumbel-softmax: codes drawn from a learned layer's logits, and embeddings for the decoder."""

    method: ClassVar[str] = "gumbel"
    default_loss_weights: ClassVar[dict[str, float]] = {"kl": 5e-4}
    training_differs: ClassVar[str] = "in training, the decoder sees a relaxed draw of codes"

    temperature: TemperatureSchedule = field(  # τ, in units of logits
        default_factory=lambda: TemperatureSchedule(1.0, 1 / 16, "cosine")
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.temperature.unit != "absolute":
            raise ValueError(f"temperature.unit is {self.temperature.unit!r}: logits have none; give absolute")

    def temperatures(self, dim: int) -> tuple[float, float]:
        return self.temperature.at(0.0), self.temperature.at(1.0)

    def learned_shapes(self, dim: int) -> list[tuple[int, ...]]:
        return [(self.codebook_size, 2 * dim + 1)]

    def build(self, dim: int, generator: torch.Generator | None = None) -> Gumbel:
        return Gumbel(dim, self, generator)


class NegativeLogit(Metric):
    """−(z·w + b) of points [z, 1, …] and codes [w, b, …], which may be negative."""

    name = "−logit"

    def formula(self, points: Tensor, codes: Tensor) -> Tensor:
        width = points.shape[1] // 2 + 1  # of 2 D + 1
        return -points[:, :width] @ codes[:, :width].T


class Gumbel(HasTemperature, TakesCodebooks, Quantizer):
    """The code of the largest of K logits, and its embedding [K, D]."""

    metric = NegativeLogit()
    no_geometry = "its codes are chosen by the logits of a learned layer, and not by a distance to their embeddings"

    def __init__(self, dim: int, config: GumbelConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(dim, [config.codebook_size])
        self.method, self.config = config.method, config
        self.steps = StepCounter()
        head = linear(dim, config.codebook_size, generator)
        # Weights and biases beside each other, so that a codebook of any size can be given.
        self.head = nn.Parameter(torch.cat([head.weight.detach(), head.bias.detach()[:, None]], dim=1))
        self.embedding = nn.Parameter(torch.randn(config.codebook_size, dim, generator=generator))
        self._scheduled = config.temperature.at(0.0)

    @property
    def scheduled_temperature(self) -> float:
        return self._scheduled

    def anneal(self, progress: float) -> None:
        self._scheduled = self.config.temperature.at(progress)

    def forward(self, latents: Tensor) -> QuantizerOutput:
        if not self.training:
            codes = to_grid(self.assign(to_tokens(self.continuous(latents))), latents)
            return QuantizerOutput(self.lookup(codes), codes)
        queries, temperature = self._queries(latents), self.temperature
        codes = self.metric.nearest(_padded(queries), _padded(self.head))
        quantized = gumbel_softmax(queries, self.head, self.embedding, temperature, self.steps.finished)
        entropies = soft_entropies(queries, self.head)
        self.steps.advance()
        return QuantizerOutput(
            quantized=to_grid(quantized, latents),
            codes=to_grid(codes[:, None], latents),
            losses={"kl": math.log(self.codebook_size) - entropies.of_tokens},
            diagnostics={
                "temperature": torch.tensor(temperature, dtype=torch.float64),
                "effective_codes": entropies.of_tokens.detach().exp(),
                "relaxation_error": (quantized - self.embedding[codes]).detach().square().mean(),
            },
        )

    def codebooks(self) -> list[Tensor]:
        return [torch.cat([self.head, self.embedding], dim=1).detach()]

    def continuous(self, latents: Tensor) -> Tensor:
        queries = self._queries(latents)
        expected = soft_assign(queries, self.head, self.embedding, finite=True).out
        return to_grid(torch.cat([queries, expected], dim=1), latents)

    def decoder_input(self, points: Tensor) -> Tensor:
        return points[:, self.dim + 1 :]

    def with_codebooks(self, codebooks: Sequence[Tensor]) -> Self:
        codebook = require_vectors(codebooks, 2 * self.dim + 1).to(self.embedding)
        other = copy.deepcopy(self)
        other.levels = (len(codebook),)
        other.head = nn.Parameter(codebook[:, : self.dim + 1].clone())
        other.embedding = nn.Parameter(codebook[:, self.dim + 1 :].clone())
        return other

    def _queries(self, latents: Tensor) -> Tensor:
        """[N, D + 1], tokens with a 1 for the biases; in float32 under autocast, too."""
        tokens = to_tokens(latents).to(self.embedding.dtype)
        return torch.cat([tokens, torch.ones_like(tokens[:, :1])], dim=1)


@torch.no_grad()
def _padded(vectors: Tensor) -> Tensor:
    """[M, D + 1] → [M, 2 D + 1]: zeros for what the decoder sees, which no logit depends on."""
    return functional.pad(vectors, (0, vectors.shape[1] - 1))
