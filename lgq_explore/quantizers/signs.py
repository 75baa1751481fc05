"""What methods have in common that take the sign of each dimension: bits as codes, and the entropy of soft bits.

Latents are projected from D to b dimensions, and their signs are b bits. There is no learned codebook, and K = 2^b.
Bits form codes in groups of g, so that a position has b/g codes in [0, 2^g). The joint code is the number whose binary
digits are the bits in the order of the dimensions, the first of them highest, 1 for +, 0 for −, as in
vector-quantize-pytorch; groups are parts of it. Open-MAGVIT2 (github.com/TencentARC/SEED-Voken) begins with the lowest.

With codes c in {−m, m}^b, responsibilities p ∝ exp(−|z − c|²/τ) are independent over the dimensions,

    p(bit d is 1) = sigmoid(4 m z_d/τ)      H(p_n) = Σ_d h_nd, the entropy of each bit

That of the batch, H(mean_n p_n), is not a sum, but at most the sum over groups of the entropy of the group's mean:

    entropy = mean_n H(p_n) − γ Σ_groups H(mean_n p_n)

A token's codes become certain by the first term, and are used alike by the second. The loss is negative, down to
−γ b log 2, wherever the batch uses its codes. It needs a table of tokens × 2^g for no g.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from .base import Quantizer, QuantizerConfig, QuantizerOutput, split_codes, straight_through, to_grid, to_tokens
from .distributed_mean import mean_over_processes
from .drawn_layers import linear
from .entropies import Entropies, entropy
from .soft_assignment.autograd import soft_assign

MOST_BITS = 128
LARGEST_GROUP = 16
"""The most bits in a group, whose 2^g codes are listed."""


@dataclass(frozen=True)
class SignConfig(QuantizerConfig):
    """Settings of a method that takes signs; K is 2 to their number."""

    bits: int = 10  # b, signs a position
    group_size: int = 1  # g, bits in a code; usage and the entropy of the batch are those of groups
    entropy_temperature: float = 1.0  # τ
    diversity: float = 1.0  # γ, the entropy of the batch against that of the tokens
    warmup_factor: float = 3.0  # on the weight of the entropy at the first step; it falls to 1 linearly
    warmup_steps: int = 2000  # until it is 1

    def __post_init__(self) -> None:
        self._require("bits", 1 <= self.bits <= MOST_BITS, f"give 1 to {MOST_BITS}")
        self._require("group_size", 1 <= self.group_size <= LARGEST_GROUP, f"give 1 to {LARGEST_GROUP}")
        self._require("group_size", self.bits % self.group_size == 0, f"it must divide the {self.bits} bits")
        self._require("entropy_temperature", 0 < self.entropy_temperature < float("inf"), "give a positive number")
        self._require("diversity", 0 <= self.diversity < float("inf"), "give a finite number of at least 0")
        self._require("warmup_factor", 0 <= self.warmup_factor < float("inf"), "give a finite number of at least 0")
        self._require("warmup_steps", self.warmup_steps >= 0, "it must not be negative")

    @property
    def size(self) -> int:
        return 2**self.bits

    @property
    def magnitude(self) -> float:
        """m, the coordinates of codes without their signs."""
        return 1.0

    def resized(self, codebook_size: int) -> Self:
        if codebook_size < 2:
            raise ValueError(f"codebook_size is {codebook_size}: signs make at least 2 codes")
        below = codebook_size.bit_length() - 1
        is_nearer_above = codebook_size**2 > 2 ** (2 * below + 1)  # in ratio
        return replace(self, bits=below + is_nearer_above)

    def for_raw_tokens(self, dim: int) -> Self:
        # A single sign would project a plane to a line.
        return self if self.bits >= min(dim, 2) else replace(self, bits=2)

    def loss_factor(self, name: str, step: int) -> float:
        if name != "entropy" or step >= self.warmup_steps:
            return 1.0
        return self.warmup_factor + (1 - self.warmup_factor) * step / self.warmup_steps


class SignQuantizer(Quantizer):
    """The signs of a projection, between two linear layers."""

    group_codebook: Tensor

    def __init__(self, dim: int, config: SignConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(dim, [2**config.group_size] * (config.bits // config.group_size))
        self.method, self.config = config.method, config
        self.project_in = linear(dim, config.bits, generator)
        # Orthogonal directions, which give independent latents independent signs, in a linear layer's variance.
        nn.init.orthogonal_(self.project_in.weight, gain=3**-0.5, generator=generator)
        self.project_out = linear(config.bits, dim, generator)
        bits = bits_of(torch.arange(2**config.group_size), config.group_size)
        self.register_buffer("group_codebook", config.magnitude * (2 * bits - 1).float(), persistent=False)

    def forward(self, latents: Tensor) -> QuantizerOutput:
        points = self.continuous(latents)
        tokens = to_tokens(points)
        codes = to_grid(self.assign(tokens), latents)
        vectors = self.discrete(codes)
        if not self.training:
            return QuantizerOutput(self.decoder_input(vectors), codes)
        entropies = sign_entropies(self._logits(tokens), self.config.group_size)
        return QuantizerOutput(
            quantized=self.decoder_input(straight_through(vectors, gradient_of=self._heard(points))),
            codes=codes,
            losses={
                "entropy": entropies.loss(self.config.diversity),
                "commitment": self._commitment(tokens, to_tokens(vectors)),
            },
            diagnostics=entropies.diagnostics(),
        )

    def _heard(self, points: Tensor) -> Tensor:
        """What has the gradient of the decoder's input: the points, or a multiple of them."""
        return points

    def _commitment(self, tokens: Tensor, vectors: Tensor) -> Tensor:
        """The commitment loss of points and their codes, both [N, b]."""
        return functional.mse_loss(tokens, vectors)

    def _logits(self, tokens: Tensor) -> Tensor:
        """Points [N, b] → log-odds of each bit."""
        return 4 * self.config.magnitude / self.config.entropy_temperature * tokens

    @property
    def learned_groups(self) -> tuple[int, ...]:
        return ()

    @property
    def lattice(self) -> tuple[int, ...]:
        return (2,) * self.config.bits if self.config.bits > 1 else ()

    def codebooks(self) -> list[Tensor]:
        return [self.group_codebook] * len(self.levels)

    def continuous(self, latents: Tensor) -> Tensor:
        with torch.autocast(latents.device.type, enabled=False):  # in float32, as the codes
            return self.project_in(latents.movedim(1, -1).to(self.project_in.weight.dtype)).movedim(-1, 1)

    def decoder_input(self, points: Tensor) -> Tensor:
        return self.project_out(points.movedim(1, -1)).movedim(-1, 1)

    def _assign_each_group(self, points: Tensor) -> Tensor:
        bits = (points > 0).long().unflatten(1, (-1, self.config.group_size))
        return (bits << torch.arange(self.config.group_size - 1, -1, -1, device=points.device)).sum(2)


def sign_entropies(logits: Tensor, group_size: int) -> Entropies:
    """The entropies of N tokens' bits with log-odds `logits` [N, b]; that of the batch is the sum over groups.

    group_size: g bits in a group, which divides b.
    """
    certain = functional.softplus(-logits) * logits.sigmoid() + functional.softplus(logits) * (-logits).sigmoid()
    means = _mean_of_bits(logits) if group_size == 1 else _mean_of_groups(logits, group_size)
    return Entropies(certain.sum(1).mean(), entropy(mean_over_processes(means)))


def _mean_of_bits(logits: Tensor) -> Tensor:
    """[N, b] → the mean probabilities [b, 2] of both values of each bit."""
    return torch.stack([(-logits).sigmoid().mean(0), logits.sigmoid().mean(0)], dim=1)


def _mean_of_groups(logits: Tensor, group_size: int) -> Tensor:
    """[N, b] → the mean probabilities [b/g, 2^g] of the codes of each group."""
    bits = bits_of(torch.arange(2**group_size, device=logits.device), group_size).to(logits)
    return torch.stack([soft_assign(group, bits, bits).usage for group in logits.split(group_size, dim=1)])


def bits_of(codes: Tensor, bits: int) -> Tensor:
    """Codes [M] → their bits [M, `bits`], the highest first."""
    return split_codes(codes[:, None, None], [2] * bits)[:, :, 0, 0]
