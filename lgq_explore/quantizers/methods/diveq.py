"""DiVeQ: a token moves to its code along a nearly exact direction, and the distance carries the gradient.

Differentiable Vector Quantization, Vali et al. 2025, arXiv 2509.26469. With a token z, its nearest code c and noise n
from N(0, s²) in each dimension,

    q = z + |c − z| sg(v/|v|)      v = (c − z) + n

so that q is c up to about s, and the decoder's gradient reaches the code as well as the token,

    dq/dc = u wᵀ      dq/dz = I − u wᵀ      u = v/|v|      w = (c − z)/|c − z|

There are no losses. At evaluation q is c. Every `replacement_steps` steps, codes that too few steps have used are
replaced by copies of other codes, drawn in proportion to the number of steps that used them.

The defaults are those of the authors' package (class DIVEQ in diveq 0.1.3). Its `noise_var` of 0.001 is passed as a
standard deviation, and so it is one here. As in that package, a code that several tokens of a step take is counted
once: with 0.01 of 100 steps, a code is replaced if no step used it. Copies are 1e-9 apart, less than float32 resolves
at codes of about 1, so they stay twins until the one with the lower number has moved; this is also kept. Its codes
start uniform in [0, 1/K); here they start as those of `vq`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor
from torch.nn import functional

from ..distributed_mean import mean_over_processes
from ..nearest import counts_by_code
from ..noise import Noise
from ..step_counter import StepCounter
from .vq import VQ, VQGradientConfig


@dataclass(frozen=True)
class DiVeQConfig(VQGradientConfig):
    """DiVeQ: the nearest code, reached along a slightly noisy direction whose length has the gradient; no losses."""

    method: ClassVar[str] = "diveq"
    default_loss_weights: ClassVar[dict[str, float]] = {}
    training_differs: ClassVar[str] = "in training, the decoder sees codes with a little noise"

    noise: float = 1e-3  # standard deviation of the direction's noise, in units of latents
    replacement_steps: int = 100  # between replacements of codes; 0: never
    replace_below: float = 0.01  # share of these steps under which a code that they used is replaced
    perturbation: float = 1e-9  # standard deviation of a copy from its original, in units of latents

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require("noise", 0 <= self.noise < math.inf, "give a finite number of at least 0")
        self._require("replacement_steps", self.replacement_steps >= 0, "it must not be negative")
        self._require("replace_below", 0 <= self.replace_below <= 1, "give a share in [0, 1]")
        self._require("perturbation", 0 <= self.perturbation < math.inf, "give a finite number of at least 0")

    def build(self, dim: int, generator: torch.Generator | None = None) -> DiVeQ:
        return DiVeQ(dim, self, generator)


class DiVeQ(VQ):
    """Nearest of K codes [K, D], learned by the decoder's gradient alone."""

    config: DiVeQConfig
    steps_used: Tensor

    def __init__(self, dim: int, config: DiVeQConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(dim, config, generator)
        self.steps = StepCounter()
        self.register_buffer("steps_used", torch.zeros(config.codebook_size))

    def with_codebooks(self, codebooks: Sequence[Tensor]) -> Self:
        other = super().with_codebooks(codebooks)
        other.steps_used = torch.zeros_like(other.codebook[:, 0])
        return other

    def _with_gradient(self, vectors: Tensor, tokens: Tensor) -> Tensor:
        noise = Noise.of_batch(self.steps.finished, len(tokens)).normal(self.dim, tokens.device)
        way = vectors - tokens
        direction = functional.normalize((way + self.config.noise * noise).detach(), dim=1)
        return tokens + way.norm(dim=1, keepdim=True) * direction

    def _learn(self, tokens: Tensor, codes: Tensor, vectors: Tensor) -> dict[str, Tensor]:
        """No losses; but the steps that use a code are counted, and codes that few use are replaced."""
        self._count_use(codes)
        self.steps.advance()
        steps = self.config.replacement_steps
        if steps > 0 and self.steps.finished % steps == 0:
            self._replace_unused(steps)
        return {}

    @torch.no_grad()
    def _count_use(self, codes: Tensor) -> None:
        taken = mean_over_processes(counts_by_code(codes, self.codebook_size, self.steps_used.dtype))
        self.steps_used += taken > 0

    @torch.no_grad()
    def _replace_unused(self, steps: int) -> None:
        """Replace codes that were used in few of the last `steps` by copies of others, the same in all processes."""
        unused = self.steps_used < self.config.replace_below * steps
        ends = self.steps_used.double().masked_fill(unused, 0.0).cumsum(0)
        # No step of training has a negative number, so that these numbers have nothing in common with theirs.
        noise = Noise(-self.steps.finished, self.codebook_size)
        places = ends[-1] * noise.uniform(slice(0, self.codebook_size), 1, ends.device)[:, 0].double()
        drawn = torch.searchsorted(ends, places, right=True).clamp(max=self.codebook_size - 1)
        copies = self.codebook[drawn] + self.config.perturbation * noise.normal(self.dim, ends.device)
        replaced = unused & (ends[-1] > 0)
        self.codebook.copy_(torch.where(replaced[:, None], copies, self.codebook))
        self.steps_used.zero_()
