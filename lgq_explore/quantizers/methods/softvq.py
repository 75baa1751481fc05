"""SoftVQ: the decoder sees weighted sums of all codes, in training and, as published, in evaluation.

SoftVQ-VAE, Chen et al., CVPR 2025, arXiv 2412.10958. Tokens and codes are scaled to length 1, and

    p = softmax(ẑ·ĉ/τ), τ = 0.07      q = Σ_k p_k ĉ_k
    entropy = mean_n H(p'_n) − H(mean_n p'_n),  p' = softmax(ẑ·ĉ/τ'),  τ' = 0.01

Codes take part in p and p' as constants, and learn by q alone. p is the softmax of −|ẑ − ĉ|²/2τ, so that 2τ, 0.14, is
its temperature by the formula of the other soft methods, in panels and in the history.

So it is a continuous tokenizer: q can't be computed from a code, and bits of codes say nothing about pictures decoded
from q. Here `forward` in eval mode gives the vectors of the nearest codes, as for all methods: codes, bits and pictures
correspond there, and pictures are worse than the published ones, since the decoder is trained on q. `soft` at the
method's temperature gives q, and evaluation reports the quality of its pictures under a separate name, `soft_decode`.

The defaults are those of the published run (configs/softvq-l-64.yaml and modelling/quantizers/softvq.py in
github.com/Hhhhhhao/continuous_tokenizer at 7cc3e96): entropy 0.01, no other loss of codes, codes uniform in ±1/K,
scaled to length 1, at the start. Its paper writes −|z − c|/τ and does not scale; `norm=none` leaves lengths alone, in
−|z − c|²/2τ. Its runs have four codebooks of 8,192 codes, each for a quarter of the tokens, while here all tokens share
one, and align q with the features of another network by a further loss.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..assignment import SoftAssignment, Softness
from ..base import QuantizerOutput, VectorQuantizerConfig, to_grid, to_tokens
from ..capabilities import SoftQuantizer, TakesCodebooks, require_vectors
from ..entropies import soft_entropies
from ..mixture import Mixture
from ..soft_assignment.autograd import soft_assign
from ..temperature import HIGHEST, LOWEST

NORMS = ("length", "none")


@dataclass(frozen=True)
class SoftVQConfig(VectorQuantizerConfig):
    """A decoder of weighted sums of all codes, by their cosines with the token; codes alone hold less."""

    method: ClassVar[str] = "softvq"
    default_loss_weights: ClassVar[dict[str, float]] = {"entropy": 0.01}
    training_differs: ClassVar[str] = "in training, the decoder sees weighted sums of all codes"

    temperature: float = 0.07  # τ, of cosines
    entropy_temperature: float = 0.01  # τ', of cosines
    norm: str = "length"  # of tokens and codes: length (1, as in the code), none

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("temperature", "entropy_temperature"):
            self._require(name, LOWEST < getattr(self, name) < HIGHEST / 2, "give a positive number")
        self._require_choice("norm", NORMS)

    def temperatures(self, dim: int) -> tuple[float, float]:
        return 2 * self.temperature, 2 * self.temperature

    @property
    def normalizes(self) -> bool:
        return self.norm != "none"

    def for_raw_tokens(self, dim: int) -> Self:
        # Scaled to one length, the points of a plane are those of a circle.
        return replace(self, norm="none")

    def build(self, dim: int, generator: torch.Generator | None = None) -> SoftVQ:
        return SoftVQ(dim, self, generator)


class SoftVQ(TakesCodebooks, SoftQuantizer):
    """Sums of K codes of length 1 [K, D] in training mode, and the nearest of them in eval mode."""

    decodes_softly = True

    def __init__(self, dim: int, config: SoftVQConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(dim, [config.codebook_size])
        self.method, self.config = config.method, config
        drawn = 2 * torch.rand(config.codebook_size, dim, generator=generator) - 1
        self._has_unit_codes = config.norm == "length"
        self.vectors = nn.Parameter(functional.normalize(drawn, dim=1) if self._has_unit_codes else drawn / len(drawn))

    @property
    def scheduled_temperature(self) -> float:
        return 2 * self.config.temperature

    def forward(self, latents: Tensor) -> QuantizerOutput:
        tokens = self._normalized(latents)
        if not self.training:
            codes = to_grid(self.assign(tokens), latents)
            return QuantizerOutput(self.lookup(codes), codes)
        mixture = self._mixture
        # A loss of entries that are not finite is not either, and is looked at.
        assignment = self._assign(tokens, self.temperature, finite=True)
        products = mixture.products(tokens, 2 * self.config.entropy_temperature)
        entropies = soft_entropies(products.queries, products.keys.detach())
        softness = mixture.softness(tokens, assignment, self.temperature)
        return QuantizerOutput(
            quantized=to_grid(mixture.expected(assignment), latents),
            codes=to_grid(assignment.codes[:, None], latents),
            losses={"entropy": entropies.loss(diversity=1.0)},
            diagnostics={
                "temperature": torch.tensor(self.temperature, dtype=torch.float64),
                "effective_codes": softness.entropy.mean().exp(),
                "encoder_gain_mean": softness.encoder_gain.mean(),
                **entropies.diagnostics(),
            },
        )

    def soft_assign(self, latents: Tensor, temperature: float) -> SoftAssignment:
        """`out` [N, D + 1] is the expectation of [c, |c|²], with c measured from the mixture's origin."""
        return self._assign(self._normalized(latents), temperature)

    def soft(self, latents: Tensor, temperature: float) -> Tensor:
        return to_grid(self._mixture.expected(self.soft_assign(latents, temperature)), latents)

    @torch.no_grad()
    def softness(self, latents: Tensor, temperature: float) -> Softness:
        tokens = self._normalized(latents)
        return self._mixture.softness(tokens, self._assign(tokens, temperature), temperature)

    def codebooks(self) -> list[Tensor]:
        return [self._codebook().detach()]

    def continuous(self, latents: Tensor) -> Tensor:
        return to_grid(self._normalized(latents), latents)

    def with_codebooks(self, codebooks: Sequence[Tensor]) -> Self:
        other = copy.deepcopy(self)
        other.vectors = nn.Parameter(require_vectors(codebooks, self.dim).to(self.vectors).clone())
        other.levels, other._has_unit_codes = (len(other.vectors),), False  # they are taken as they are
        return other

    def _normalized(self, latents: Tensor) -> Tensor:
        tokens = to_tokens(latents).to(self.vectors.dtype)
        return functional.normalize(tokens, dim=1) if self.config.norm == "length" else tokens

    def _codebook(self) -> Tensor:
        return functional.normalize(self.vectors, dim=1) if self._has_unit_codes else self.vectors

    @property
    def _mixture(self) -> Mixture:
        return Mixture(self._codebook())

    def _assign(self, tokens: Tensor, temperature: float, finite: bool = False) -> SoftAssignment:
        products = self._mixture.products(tokens, temperature)
        return soft_assign(products.queries, products.keys.detach(), products.keys, finite=finite)
