"""SQ-VAE: codes are drawn from a Gaussian posterior of a learned variance, so that quantization anneals itself.

Stochastically Quantized VAE, Takida et al. 2022, arXiv 2205.07547, in its Gaussian form with one variance. With tokens
z [N, D], codes c [K, D], Gumbel noise g and a temperature τ:

    l_nk = −|z_n − c_k|²/(2σ²)      p = softmax_k(l)      y = softmax_k((l + g)/τ)      q = Σ_k y_nk c_k
    entropy  = mean_n Σ_k p log p               (the negative of an entropy: it keeps p wide)
    distance = mean_n |z_n − q_n|²/(2σ²)        (a sum over D; no stop-gradient)

The decoder sees the relaxed draw q in training, and the code of the largest p at evaluation. As reconstructions
improve, σ² decreases, and p becomes harder.

The published objective of an image with D_x values and T tokens is ½ D_x log Σ(x − x̂)² + T (entropy + distance).
Divided by D_x it is the term `log_mse` with weight 1 and both losses with weight T/D_x = 1/(3 f²), f pixels a token's
side:

    --set loss_weights.l1=0 --set loss_weights.log_mse=1

The default weights are those for the published f = 4. **With l1 in place of log_mse, as presets have it, this is
another method**, a mean-scaled SQ-VAE: its reconstruction term does not become steeper as the error becomes smaller.

The defaults are those of the released Gaussian runs (vision/ in github.com/sony/sqvae at 01281c9), whose codes start
as N(0, 1) with D = 64. Their σ² is 1 + exp(s), begins at 21, and never falls below 1. Here the codes start from tokens,
and 1 and 20 are multiplied by the spread tr cov of these codes over 64. Their τ is exp(−10⁻⁵ step), after the 356,000
steps of their CelebA runs 0.03: the same exponential here, over the run. For their τ in a run of n steps, set
`temperature.end` to exp(−10⁻⁵ n).

There are two temperatures: p has 2σ² in units of squared distance, and y has 2σ²τ, which is the one that panels show
and can hold. Noise is a function of the step, the token and the code (`noise`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..base import QuantizerOutput, to_grid
from ..entropies import soft_entropies
from ..gumbel_softmax import gumbel_softmax
from ..initialization import OnRound, unheard
from ..soft_codes import SoftCodebook, SoftCodebookConfig
from ..step_counter import StepCounter
from ..temperature import TemperatureSchedule

PUBLISHED_WEIGHT = 1 / 48
"""T/D_x of the released runs: a token for 4 × 4 pixels of three channels."""


@dataclass(frozen=True)
class SQVAEConfig(SoftCodebookConfig):
    """SQ-VAE with one learned variance: codes drawn from a Gaussian posterior, which hardens by itself."""

    method: ClassVar[str] = "sq-vae"
    default_loss_weights: ClassVar[dict[str, float]] = {"entropy": PUBLISHED_WEIGHT, "distance": PUBLISHED_WEIGHT}
    temperature_units: ClassVar[tuple[str, ...]] = ("absolute",)
    training_differs: ClassVar[str] = "in training, the decoder sees relaxed draws of codes"

    temperature: TemperatureSchedule = field(  # τ of the relaxed draw
        default_factory=lambda: TemperatureSchedule(1.0, 0.03, "exponential")
    )
    initial_variance: float = 20 / 64  # of σ² at the start without its least, in units of the codes' spread tr cov
    least_variance: float = 1 / 64  # of σ², in the same units; 0 as in the paper's formula

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require("initial_variance", 0 < self.initial_variance < math.inf, "give a positive number")
        self._require("least_variance", 0 <= self.least_variance < math.inf, "give a finite number of at least 0")

    def temperatures(self, dim: int) -> tuple[float, float]:
        """2σ²τ at both ends of the schedule, for codes of variance 1 and the initial σ²."""
        width = 2 * dim * (self.initial_variance + self.least_variance)
        return width * self.scheduled(0.0, dim), width * self.scheduled(1.0, dim)

    def build(self, dim: int, generator: torch.Generator | None = None) -> SQVAE:
        return SQVAE(dim, self, generator)


class SQVAE(SoftCodebook):
    """K codes [K, D] and the variance of the posterior over them."""

    config: SQVAEConfig
    spread: Tensor

    def __init__(self, dim: int, config: SQVAEConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(dim, config, generator)
        self.steps = StepCounter()
        self.log_variance = nn.Parameter(torch.tensor(math.log(config.initial_variance)))
        self.register_buffer("spread", torch.tensor(float(dim)))

    @property
    def variance(self) -> Tensor:
        """σ², a scalar with gradient, in units of squared distance."""
        return self.spread * (self.config.least_variance + self.log_variance.exp())

    @property
    def scheduled_temperature(self) -> float:
        """2σ²τ at the progress last passed to `anneal`, for the variance that was learned so far."""
        return 2 * self.variance.item() * self._scheduled

    @torch.no_grad()
    def initialize(self, tokens: Tensor, generator: torch.Generator | None = None, on_round: OnRound = unheard) -> None:
        super().initialize(tokens, generator, on_round)
        spread = self.codebook.var(0).sum()
        self.spread.copy_(torch.where(spread > 0, spread, 1.0))

    def forward(self, latents: Tensor) -> QuantizerOutput:
        tokens = self._tokens(latents)
        codes = self.assign(tokens)
        code_grid = to_grid(codes, latents)
        if not self.training:
            return QuantizerOutput(self.lookup(code_grid), code_grid)
        width = 2 * self.variance
        relaxation = self._scheduled if self._held is None else self._held / width.detach()
        logits = self.mixture.products(tokens, width)
        quantized = gumbel_softmax(logits.queries, logits.keys, self.codebook, relaxation, self.steps.finished)
        entropies = soft_entropies(logits.queries, logits.keys)
        self.steps.advance()
        return QuantizerOutput(
            quantized=to_grid(quantized, latents),
            codes=code_grid,
            losses={
                "entropy": -entropies.of_tokens,
                "distance": (tokens - quantized).square().sum(1).mean() / width,
            },
            diagnostics={
                "temperature": (width * relaxation).detach().double(),
                "variance": width.detach() / 2,
                "effective_codes": entropies.of_tokens.detach().exp(),
                "relaxation_error": (quantized - self.codebook[codes[:, 0]]).detach().square().mean(),
            },
        )
