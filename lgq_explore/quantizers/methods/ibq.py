"""IBQ: every step moves all codes, through the gradient of the softmax behind the hard choice.

Index Backpropagation Quantization, Shi et al. 2024, arXiv 2412.02692. A token z takes the code of the largest dot
product, and the gradient of its one-hot index is that of the softmax over all K codes, not only over the chosen one:

    s_k = z·c_k      p = softmax(s)      q = Σ_k h_k c_k,  h = onehot(argmax s) + p − sg(p)
    quantization = mean (q − z)²      commitment = mean (z − sg(c_k*))²      codebook = mean (c_k* − sg(z))²
    entropy = mean_n H(p'_n) − γ H(mean_n p'_n),  p' = softmax(s/τ),  τ = 0.01

q is computed as c_k* + q_soft − sg(q_soft), q_soft = Σ_k p_k sg(c_k), which has the same value and gradients and needs
no table of tokens × codes. Dot products prefer long codes to near ones.

The defaults are those of the released runs (configs/IBQ and src/IBQ in github.com/TencentARC/SEED-Voken at b9a17ea):
the three losses with weights 1, 1 and β = 0.25, the entropy with 0.05 and γ = 1, codes drawn from N(0, 1). Those runs
have D = 256.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..base import QuantizerOutput, VectorQuantizerConfig, to_grid, to_tokens
from ..entropies import soft_entropies
from ..learned_codebook import LearnedCodebook
from ..nearest import Metric
from ..soft_assignment.autograd import soft_assign
from .vq import vector_losses


@dataclass(frozen=True)
class IBQConfig(VectorQuantizerConfig):
    """IBQ, the code of the largest dot product, with the gradient of the softmax over all codes."""

    method: ClassVar[str] = "ibq"
    default_loss_weights: ClassVar[dict[str, float]] = {
        "quantization": 1.0,
        "commitment": 1.0,
        "codebook": 0.25,
        "entropy": 0.05,
    }

    entropy_temperature: float = 0.01  # τ
    diversity: float = 1.0  # γ, the entropy of the batch against that of the tokens

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require("entropy_temperature", 0 < self.entropy_temperature < float("inf"), "give a positive number")
        self._require("diversity", 0 <= self.diversity < float("inf"), "give a finite number of at least 0")

    def build(self, dim: int, generator: torch.Generator | None = None) -> IBQ:
        return IBQ(dim, self, generator)


class NegativeDotProduct(Metric):
    """−z·c, which may be negative."""

    name = "−dot product"

    def formula(self, points: Tensor, codes: Tensor) -> Tensor:
        return -points @ codes.T


class IBQ(LearnedCodebook):
    """The code [K, D] of the largest dot product with a token."""

    metric = NegativeDotProduct()

    def __init__(self, dim: int, config: IBQConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(dim, config.method, torch.randn(config.codebook_size, dim, generator=generator))
        self.config = config

    def forward(self, latents: Tensor) -> QuantizerOutput:
        tokens = to_tokens(self.continuous(latents))
        codes = self.assign(tokens)
        vectors, code_grid = self.codebook[codes[:, 0]], to_grid(codes, latents)
        if not self.training:
            return QuantizerOutput(to_grid(vectors, latents), code_grid)
        expected = soft_assign(tokens, self.codebook, self.codebook.detach(), finite=True).out
        quantized = vectors + (expected - expected.detach())
        entropies = soft_entropies(tokens / self.config.entropy_temperature, self.codebook)
        losses = {
            "quantization": (quantized - tokens).square().mean(),
            **vector_losses(tokens, vectors),
            "entropy": entropies.loss(self.config.diversity),
        }
        return QuantizerOutput(to_grid(quantized, latents), code_grid, losses, entropies.diagnostics())
