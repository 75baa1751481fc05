"""Wasserstein VQ: VQ whose codebook is pulled towards the mean and the covariance of the tokens.

Fang et al. 2025, "Enhancing Vector Quantization with Distributional Matching", arXiv 2506.15078. To VQ by gradient it
adds the Wasserstein distance of two Gaussians, that of the codes, N(m, B), and that of recent tokens, N(μ, A), in units
of the largest standard deviation of the tokens along a dimension:

    W² = |m − μ|² + tr(A + B − 2 (A^½ B A^½)^½)      wasserstein = W / √max_d A_dd
    codebook = mean (sg(z) − c)²      commitment = mean (z − sg(c))²

Its gradient reaches the codes alone, used or not. Codes with the moments of the tokens need not be near tokens: two
moments do not describe holes, clusters or tails.

Recent tokens are a queue of 65,536 in the authors' code. Here their moments move: each step takes them in with a rate
at which as many tokens count as in a queue of w = 65,536 (2N/(w + N) for a batch of N), or, until as many have been
seen, all tokens equally. That is D² numbers in a file of weights where the queue has 65,536 D. Each of several
processes would follow the tokens of its own batches.

The defaults are those of the authors' VQ-VAEs on ImageNet (code/VQVAE in github.com/VQ-Research/Wasserstein-VQ at
777e310): codebook 1, commitment 0.1, wasserstein 0.5, codes from N(0, 0.01²). Their queue begins with numbers from the
same distribution instead of being empty. From a start so near 0, Adam moves codes by about the learning rate a step:
before they reach tokens of a deviation of 1 at a rate of 0.001, more than a thousand steps pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..base import QuantizerOutput, VectorQuantizerConfig, straight_through, to_grid, to_tokens
from ..learned_codebook import LearnedCodebook
from ..step_counter import StepCounter
from .vq import vector_losses

INITIAL_DEVIATION = 0.01
ITERATIONS = 32
"""Of the matrix square root. A rounding error in place of an eigenvalue of 0 would need twice as many to count."""
LEAST = 1e-8
"""What keeps a division by a standard deviation, and the derivative of a distance of 0, finite, as in the code."""


@dataclass(frozen=True)
class WassersteinConfig(VectorQuantizerConfig):
    """VQ with the Wasserstein distance of codes and tokens, both taken for Gaussians, as a loss of the codes."""

    method: ClassVar[str] = "wasserstein"
    default_loss_weights: ClassVar[dict[str, float]] = {"codebook": 1.0, "commitment": 0.1, "wasserstein": 0.5}

    window: int = 65_536  # tokens that the moments of recent tokens stand for

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require("window", self.window >= 1, "give at least 1 token")

    def build(self, dim: int, generator: torch.Generator | None = None) -> WassersteinVQ:
        return WassersteinVQ(dim, self, generator)


class WassersteinVQ(LearnedCodebook):
    """The nearest of K codes [K, D], which follow the moments of the tokens."""

    token_mean: Tensor
    token_covariance: Tensor

    def __init__(self, dim: int, config: WassersteinConfig, generator: torch.Generator | None = None) -> None:
        codebook = INITIAL_DEVIATION * torch.randn(config.codebook_size, dim, generator=generator)
        super().__init__(dim, config.method, codebook)
        self.config = config
        self.register_buffer("token_mean", torch.zeros(dim))
        self.register_buffer("token_covariance", torch.zeros(dim, dim))
        self.steps = StepCounter()

    def forward(self, latents: Tensor) -> QuantizerOutput:
        tokens = to_tokens(self.continuous(latents))
        codes = self.assign(tokens)
        vectors, code_grid = self.codebook[codes[:, 0]], to_grid(codes, latents)
        if not self.training:
            return QuantizerOutput(to_grid(vectors, latents), code_grid)
        self._follow(tokens.detach())
        recent = Gaussian(self.token_mean.double(), self.token_covariance.double())
        distance = (squared_wasserstein(recent, Gaussian.of(self.codebook)) + LEAST**2).sqrt()
        deviation = recent.covariance.diagonal().max().clamp(min=0).sqrt() + LEAST
        quantized = straight_through(vectors.detach(), gradient_of=tokens)
        losses = {**vector_losses(tokens, vectors), "wasserstein": (distance / deviation).to(tokens.dtype)}
        return QuantizerOutput(to_grid(quantized, latents), code_grid, losses)

    @torch.no_grad()
    def _follow(self, tokens: Tensor) -> None:
        """Take tokens [N, D] into the moments of recent ones."""
        rate = max(2 * len(tokens) / (self.config.window + len(tokens)), 1 / self.steps.advance())
        batch, recent = Gaussian.of(tokens), Gaussian(self.token_mean.double(), self.token_covariance.double())
        mixed = recent.mixed_with(batch, min(rate, 1.0))
        self.token_mean.copy_(mixed.mean)
        self.token_covariance.copy_(mixed.covariance)


@dataclass(frozen=True)
class Gaussian:
    """mean: [D]. covariance: [D, D]. Both in float64, in which the least variances of many are known well enough."""

    mean: Tensor
    covariance: Tensor

    @classmethod
    def of(cls, points: Tensor) -> Gaussian:
        """The Gaussian of largest likelihood for points [M, D]."""
        points = points.double()
        mean = points.mean(0)
        centred = points - mean
        return cls(mean, centred.T @ centred / len(points))

    def mixed_with(self, other: Gaussian, share: float) -> Gaussian:
        """The moments of a mixture in which `other` has a share in [0, 1]."""
        between = other.mean - self.mean
        within = torch.lerp(self.covariance, other.covariance, share)
        return Gaussian(self.mean + share * between, within + share * (1 - share) * torch.outer(between, between))


def squared_wasserstein(fixed: Gaussian, moving: Gaussian) -> Tensor:
    """W² of two Gaussians, a scalar, with the gradient of `moving` (Givens & Shortt 1984)."""
    root = square_root(fixed.covariance.detach()).root
    between = root @ moving.covariance @ root
    roots = square_root(between.detach())
    # d tr M^½ = ½ tr M^−½ dM
    overlap = roots.root.trace() + 0.5 * (roots.inverse * (between - between.detach())).sum()
    spread = fixed.covariance.trace() + moving.covariance.trace() - 2 * overlap
    return (fixed.mean - moving.mean).square().sum() + spread.clamp(min=0)


@dataclass(frozen=True)
class SquareRoot:
    """The square root of a symmetric matrix [D, D] without negative eigenvalues, and its inverse."""

    root: Tensor
    inverse: Tensor


@torch.no_grad()
def square_root(matrix: Tensor) -> SquareRoot:
    """The root and its inverse, by the coupled iteration of Newton and Schulz (Higham 2008, equation 6.35).

    Eigenvalues below some 1e-11 of the largest get too small a root, and too small an inverse of it. Eigenvectors would
    give all of them, but torch waits for a GPU to tell whether it found them.
    """
    identity = torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device)
    size = torch.linalg.matrix_norm(matrix).clamp(min=torch.finfo(torch.float32).tiny)
    root, inverse = matrix / size, identity
    for _ in range(ITERATIONS):
        correction = 1.5 * identity - 0.5 * inverse @ root
        root, inverse = root @ correction, correction @ inverse
    return SquareRoot(root * size.sqrt(), inverse / size.sqrt())
