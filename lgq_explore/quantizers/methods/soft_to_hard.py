"""Soft-to-hard vector quantization: hard codes with the gradient of soft ones, and the entropy of their usage.

Agustsson et al. 2017, arXiv 1704.00648, with vectors as codes; Mentzer et al. 2018, arXiv 1801.04260, with scalars.
With tokens z [N, D] as the encoder gives them, centres c [K, D] and a hardness σ = 1/τ:

    p_nk = softmax_k(−σ |z_n − c_k|²)      q = q_soft + sg(q_hard − q_soft)      q_soft = Σ_k p_nk c_k
    centres = mean over K and D of c²/2
    entropy = −Σ_k h_k log u_k      u_k = mean_n p_nk      h_k the share of tokens with code k, without gradient

This is the estimator of LGQ without its normalisation and its quantization loss: only the decoder's gradient keeps
tokens and centres together. The cross-entropy of hard and soft usage is an upper bound of the entropy of the codes in
nats, and lowers the bits of codes, while LGQ's usage loss spreads them.

The defaults are those of the 2018 code (code/ in github.com/fab-jul/imgcomp-cvpr at 30cc230): σ = 1 throughout, and
0.1 on the centres. Its sum over six scalars is a mean here, since the other losses of a recipe are. σ = 1 does not
harden; the 2017 paper lets σ grow, as a falling temperature does here (`temperature.shape`, `temperature.end`). The
weight of the entropy is ours: the papers choose it for a rate.

Left out: the 2018 entropy model, a causal network over codes with an importance map, and its scalar centres for each
channel, which would make D codes a position. Its centres start uniform in [−2, 2]; here they start from tokens.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from ..base import QuantizerOutput, straight_through, to_grid
from ..distributed_mean import mean_over_processes
from ..nearest import counts_by_code
from ..soft_codes import SoftCodebook, SoftCodebookConfig
from ..temperature import TemperatureSchedule


@dataclass(frozen=True)
class SoftToHardConfig(SoftCodebookConfig):
    """Soft-to-hard vector quantization: hard codes with the gradient of soft ones, and the entropy of their usage."""

    method: ClassVar[str] = "soft-to-hard"
    default_loss_weights: ClassVar[dict[str, float]] = {"centres": 0.1, "entropy": 0.001}

    temperature: TemperatureSchedule = field(default_factory=lambda: TemperatureSchedule(1.0, 1.0, "constant"))  # 1/σ

    def build(self, dim: int, generator: torch.Generator | None = None) -> SoftToHard:
        return SoftToHard(dim, self, generator)


class SoftToHard(SoftCodebook):
    """The nearest of K centres [K, D], with the gradient of the soft assignment to all."""

    def forward(self, latents: Tensor) -> QuantizerOutput:
        tokens = self._tokens(latents)
        if not self.training:
            codes = to_grid(self.assign(tokens), latents)
            return QuantizerOutput(self.lookup(codes), codes)
        temperature, mixture = self.temperature, self.mixture
        assignment = mixture.assign(tokens, temperature, finite=True)  # else the loss is not
        vectors = self.codebook[assignment.codes]
        quantized = straight_through(vectors, gradient_of=mixture.expected(assignment))
        softness = mixture.softness(tokens, assignment, temperature)
        return QuantizerOutput(
            quantized=to_grid(quantized, latents),
            codes=to_grid(assignment.codes[:, None], latents),
            losses={
                "centres": self.codebook.square().mean() / 2,
                "entropy": entropy_bound(assignment.codes, assignment.usage),
            },
            diagnostics={
                "temperature": torch.tensor(temperature, dtype=torch.float64),
                "effective_codes": softness.entropy.mean().exp(),
                "encoder_gain_mean": softness.encoder_gain.mean(),
                "encoder_gain_median": softness.encoder_gain.median(),
            },
        )


def entropy_bound(codes: Tensor, usage: Tensor) -> Tensor:
    """−Σ_k h_k log u_k in nats, of codes [N] with shares h, and soft usage u [K]; at least the entropy of h.

    Both are means over all processes.
    """
    shares = mean_over_processes(counts_by_code(codes, len(usage), usage.dtype) / len(codes))
    tiny = torch.finfo(usage.dtype).tiny
    return -(shares * mean_over_processes(usage).clamp(min=tiny).log()).sum()
