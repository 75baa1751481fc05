"""Gradient estimators of LGQ: which paths lead from the decoder to the encoder and to the centres.

With tokens z, centres C, the expected code q_soft(z, C) and the chosen one q_hard, all three have the value q_hard:

    paper     q = q_soft(z, C) + sg(q_hard − q_soft)
              L = mean (q − z)²
    split     q = sg(q_hard) + (z − sg z) + (q_soft(sg z, C) − sg q_soft)
              L = mean (q_C − sg z)² + β mean (z − sg c_k*)²,   q_C = q without its path to z
    mixture   (1 − α) of the paper's q and L, and α of the split ones

The encoder hears (1 − α) (2/τ) Cov_p(c) + α of the decoder's gradient, and the centres hear that of q_soft in any case.
The means are over N and D. β is that of VQ (arXiv 1711.00937). To each L, γ mean (c_k* − sg z)² may be added, VQ's
codebook loss, which moves a code to the mean of the tokens in its cell, whatever the temperature.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from .base import straight_through

ESTIMATORS = ("paper", "split", "mixture")


@dataclass(frozen=True)
class Estimate:
    """quantized: [N, D], the chosen codes with the estimator's gradient. loss: L_quant, a scalar."""

    quantized: Tensor
    loss: Tensor

    def mixed_with(self, other: Estimate, share: float) -> Estimate:
        """1 − `share` of this one's gradient and loss, and `share` of the other's."""
        quantized = self.quantized.lerp(other.quantized, share)
        return Estimate(quantized, self.loss.lerp(other.loss, share))


def paper_estimate(tokens: Tensor, hard: Tensor, expected: Tensor) -> Estimate:
    """tokens, hard, expected: z, q_hard and q_soft(z, C), each [N, D]."""
    quantized = straight_through(hard, gradient_of=expected)
    return Estimate(quantized, (quantized - tokens).square().mean())


def split_estimate(tokens: Tensor, hard: Tensor, expected: Tensor, commitment: float) -> Estimate:
    """tokens, hard: z and q_hard [N, D]. expected: q_soft(sg z, C) [N, D]. commitment: β."""
    of_centres = straight_through(hard, gradient_of=expected)
    quantized = straight_through(hard, gradient_of=tokens + expected)
    to_tokens = (of_centres - tokens.detach()).square().mean()
    to_codes = (tokens - hard.detach()).square().mean()
    return Estimate(quantized, to_tokens + commitment * to_codes)


def cell_means_loss(tokens: Tensor, hard: Tensor) -> Tensor:
    """mean (c_k* − sg z)² of tokens and their codes' vectors [N, D], with a gradient for the chosen codes only."""
    return (hard - tokens.detach()).square().mean()
