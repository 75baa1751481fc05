"""What does every quantizer take, give back and answer?

Axis letters, throughout the package: B images in a batch · D width of the backbone's latents · H, W the grid of
latents · N = B·H·W tokens · G groups (codes a position) · K codebook size · S image side in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import torch
from einops import rearrange
from torch import Tensor, nn

from .assignment import SoftAssignment, Softness
from .initialization import OnRound, unheard


# Not frozen: Lightning Fabric casts the fields of what a wrapped module returns.
@dataclass
class QuantizerOutput:
    """What one pass through a quantizer gives, for all methods alike.

    quantized: [B, D, H, W], what the decoder sees; carries the method's gradient estimator.
    codes: [B, G, H, W] int64, group g in [0, levels[g]).
    losses: named scalars, unweighted; their weights are the recipe's.
    diagnostics: named scalars without gradient, reported in the history and never optimised.
    """

    quantized: Tensor
    codes: Tensor
    losses: dict[str, Tensor] = field(default_factory=dict)
    diagnostics: dict[str, Tensor] = field(default_factory=dict)


class Quantizer(nn.Module):
    """Latents [B, D, H, W] in, codes and their vectors out. Normalisation and projection are the method's own.

    dim: width D of the latents. levels: number of codes of each of the G groups.
    """

    codebook_is_fixed: bool = False
    """Whether the codes are a grid that never moves, so that snapshots of it would tell nothing."""

    init_tokens: int = 0
    """Tokens that `initialize` wants before the first step; 0 where the codebook does not come from data."""

    def __init__(self, dim: int, levels: Sequence[int]) -> None:
        super().__init__()
        self.dim = dim
        self.levels = tuple(levels)
        if self.codebook_size >= 2**63:
            raise ValueError(f"levels {self.levels} make {self.codebook_size} codes: joint codes must stay below 2^63")

    @property
    def codebook_size(self) -> int:
        """K, the product of the levels."""
        return math.prod(self.levels)

    def forward(self, latents: Tensor) -> QuantizerOutput:
        """Latents [B, D, H, W] → their codes, and the vectors with gradients when training."""
        raise NotImplementedError("abstract: a method says how it quantizes")

    def lookup(self, codes: Tensor) -> Tensor:
        """Codes [B, G, H, W] → vectors [B, D, H, W]: exactly what `forward` gives in eval mode."""
        return self.decoder_input(self.discrete(codes))

    def codebooks(self) -> list[Tensor]:
        """The G codebooks [levels[g], D_g] in the space of `continuous`, without gradient."""
        raise NotImplementedError("abstract: a method says where its codes lie")

    @property
    def lattice(self) -> tuple[int, ...]:
        """Levels of the lattice that joint codes form, or, where they are learned, started as; () for none."""
        return self.levels if len(self.levels) > 1 else ()

    def continuous(self, latents: Tensor) -> Tensor:
        """What is rounded, before rounding: [B, D, H, W] for vector methods, [B, G, H, W] for grids."""
        raise NotImplementedError("abstract: a method says what it rounds")

    def discrete(self, codes: Tensor) -> Tensor:
        """Codes [B, G, H, W] → their points in the space of `continuous`, whose distance is the quantization error."""
        vectors = [book[codes[:, g]] for g, book in enumerate(self.codebooks())]  # each [B, H, W, D_g]
        return rearrange(torch.cat(vectors, dim=-1), "b h w d -> b d h w")

    def decoder_input(self, points: Tensor) -> Tensor:
        """Points of the space of `continuous`, codes or not → what the decoder sees of them, [B, D, H, W].

        They are themselves, unless the method projects: then the map is the same for all points, and affine.
        """
        return points

    def initialize(self, tokens: Tensor, generator: torch.Generator | None = None, on_round: OnRound = unheard) -> None:
        """Take the codebook from raw latents [N, D], N ≥ `init_tokens`, once, before the first step.

        generator: on the CPU; what is drawn comes from it, or from torch's global one. on_round: hears of each round
        of spreading the codes, where there are any.
        """

    def anneal(self, progress: float) -> None:
        """Move schedules to `progress`, the finished share of training in [0, 1]; called before every step."""


class SoftQuantizer(Quantizer):
    """A quantizer whose assignment is soft at a temperature and becomes nearest-neighbour as it falls to 0."""

    def __init__(self, dim: int, levels: Sequence[int]) -> None:
        super().__init__(dim, levels)
        self._override: float | None = None

    @property
    def scheduled_temperature(self) -> float:
        """The temperature that the schedule gives at the progress last announced to `anneal`."""
        raise NotImplementedError("abstract: a method has its own schedule")

    @property
    def temperature(self) -> float:
        """The temperature in force. Set a number to hold it by hand, or None to give it back to the schedule."""
        return self.scheduled_temperature if self._override is None else self._override

    @temperature.setter
    def temperature(self, value: float | None) -> None:
        if value is not None and not 0 < value < math.inf:
            raise ValueError(f"temperature {value}: give a positive number, or None for the schedule")
        self._override = value

    def soft_assign(self, latents: Tensor, temperature: float) -> SoftAssignment:
        """Latents [B, D, H, W] → the soft assignment of their N tokens, in the order of (b h w)."""
        raise NotImplementedError("abstract: a method has its own logits")

    def soft(self, latents: Tensor, temperature: float) -> Tensor:
        """Latents [B, D, H, W] → expected code vectors [B, D, H, W] at `temperature`."""
        raise NotImplementedError("abstract: a method has its own vectors")

    def softness(self, latents: Tensor, temperature: float) -> Softness:
        """Latents [B, D, H, W] → how far from a hard choice their N tokens are, in the order of (b h w)."""
        raise NotImplementedError("abstract: a method has its own logits")

    def with_codebook(self, codebook: Tensor) -> Self:
        """A copy with this codebook [K, D], as `codebooks` gives it. K may be another; ValueError where D is."""
        raise NotImplementedError("abstract: a method keeps its own codes")


@dataclass(frozen=True)
class QuantizerConfig:
    """Settings of one method, frozen; `build(dim)` makes the quantizer. Field names are the JSON keys."""

    method: ClassVar[str]
    """The name in QUANTIZERS, and in every table."""

    default_loss_weights: ClassVar[dict[str, float]] = {}
    """Weight of each loss that the quantizer returns, by name, as its authors publish them."""

    @property
    def size(self) -> int:
        """Codebook size K."""
        raise NotImplementedError("abstract: a method knows its size")

    def resized(self, codebook_size: int) -> Self:
        """The same settings at K = `codebook_size`, or at the nearest product of levels where K is a product."""
        raise NotImplementedError("abstract: a method knows its sizes")

    @classmethod
    def for_codebook_size(cls, codebook_size: int) -> Self:
        """The method's defaults at `codebook_size`, as `resized` makes them."""
        return cls().resized(codebook_size)

    def temperatures(self, dim: int) -> tuple[float, float] | None:
        """The first and the last of the schedule, for latents of width `dim`; None for a method without."""
        return None

    def build(self, dim: int, generator: torch.Generator | None = None) -> Quantizer:
        """A new quantizer for latents of width `dim`, drawn from `generator`, or from torch's global one."""
        raise NotImplementedError("abstract: a config builds its method")

    def _require(self, name: str, condition: bool, remedy: str) -> None:
        """Raise ValueError with the field's name and the value it got, unless `condition` holds."""
        if not condition:
            raise ValueError(f"{name} is {getattr(self, name)!r}: {remedy}")

    def _require_choice(self, name: str, choices: Sequence[str]) -> None:
        self._require(name, getattr(self, name) in choices, f"choose one of {', '.join(choices)}")


def unnamed_at(default: Any) -> Any:
    """A config's field whose default changes nothing: a recipe's hash leaves it out there.

    So a setting can be added without renaming every recipe that came before it.
    """
    return field(default=default, metadata={"unnamed_at": default})


LARGEST_CODEBOOK = 2**24
"""Vectors in a codebook: 16,777,216, more than any published one, and few enough to hold."""


@dataclass(frozen=True)
class VectorQuantizerConfig(QuantizerConfig):
    """Settings of a method with one codebook of K vectors."""

    codebook_size: int = 1024  # K, codes

    def __post_init__(self) -> None:
        self._require("codebook_size", self.codebook_size >= 2, "a codebook needs at least 2 codes")
        self._require("codebook_size", self.codebook_size <= LARGEST_CODEBOOK, f"give at most {LARGEST_CODEBOOK} codes")

    @property
    def size(self) -> int:
        return self.codebook_size

    def resized(self, codebook_size: int) -> Self:
        return replace(self, codebook_size=codebook_size)


def to_tokens(latents: Tensor) -> Tensor:
    """[B, D, H, W] → [N, D], tokens in the order of (b h w)."""
    return rearrange(latents, "b d h w -> (b h w) d")


def to_grid(tokens: Tensor, like: Tensor) -> Tensor:
    """[N, C] → [B, C, H, W] with the B, H, W of `like`: the inverse of `to_tokens`, for vectors and codes."""
    batch, _, height, width = like.shape
    return rearrange(tokens, "(b h w) d -> b d h w", b=batch, h=height, w=width)


def straight_through(value: Tensor, gradient_of: Tensor) -> Tensor:
    """`value` forward, the gradient of `gradient_of` backward (Bengio et al. 2013, arXiv 1308.3432)."""
    return gradient_of + (value - gradient_of).detach()


def joint_codes(codes: Tensor, levels: Sequence[int]) -> Tensor:
    """Codes [B, G, H, W] → one number in [0, prod(levels)) a position [B, H, W], mixed radix, first group slowest."""
    joint = torch.zeros_like(codes[:, 0])
    for group, level in enumerate(levels):
        joint = joint * level + codes[:, group]
    return joint


def split_codes(joint: Tensor, levels: Sequence[int]) -> Tensor:
    """[B, H, W] → [B, G, H, W]: the inverse of `joint_codes`."""
    groups = []
    for level in reversed(levels):
        groups.append(joint % level)
        joint = joint // level
    return torch.stack(groups[::-1], dim=1)
