"""The contract of all quantizers: inputs, outputs, codebooks, and the assignment of points to codes.

Axis letters, throughout the package: B images in a batch · D width of the backbone's latents · H, W the grid of
latents · N = B·H·W tokens · G groups (codes per position) · K codebook size ·
P width of the space in which points are quantized · S image side in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import torch
from einops import rearrange
from torch import Tensor, nn

from lgq_explore.errors import InputError

from .nearest import Metric, SquaredEuclidean

UNSOLVED = 1.0
"""What stands for a temperature before the first one is solved for."""

MOST_LISTED = 2**22
"""The most joint codes that are listed: 4,194,304, some hundred megabytes of points."""

MOST_NUMBERED = 2**63
"""Joint codes have numbers in int64 if there are fewer than this."""


# Not frozen: Lightning Fabric casts the fields of what a wrapped module returns.
@dataclass
class QuantizerOutput:
    """The output of a quantizer, the same for all methods.

    quantized: [B, D, H, W], the decoder's input; carries the method's gradient estimator.
    codes: [B, G, H, W] int64, group g in [0, levels[g]).
    losses: named scalars, unweighted; the recipe has their weights.
    diagnostics: named scalars without gradient, reported in the history and never optimised.
    """

    quantized: Tensor
    codes: Tensor
    losses: dict[str, Tensor] = field(default_factory=dict)
    diagnostics: dict[str, Tensor] = field(default_factory=dict)


class Quantizer(nn.Module):
    """Maps latents [B, D, H, W] to codes and their vectors; includes the method's normalisation and projection.

    dim: width D of the latents. levels: number of codes of each of the G groups; a method without codes has no groups.
    Further abilities of a method (a temperature, initialisation from data, exchange of codebooks) are classes in
    `capabilities` that it inherits.
    """

    metric: Metric = SquaredEuclidean()
    """The distance that determines the nearest code of a point."""

    searches_greedily: bool = False
    """Whether `assign` may miss the nearest joint code, as a search stage by stage does."""

    method: str = ""
    """The name in QUANTIZERS of the method that it was built by; empty for one that does not know it."""

    no_geometry: str = ""
    """Why the distance of a point to its code says nothing about what is lost, as a clause; empty where it does."""

    def __init__(self, dim: int, levels: Sequence[int]) -> None:
        super().__init__()
        self.dim = dim
        self.levels = tuple(levels)

    @property
    def codebook_size(self) -> int:
        """K, the number of joint codes: the product of the levels, of any size; 0 without codes."""
        return math.prod(self.levels) if self.has_codes else 0

    @property
    def has_codes(self) -> bool:
        """Whether there are codes at all. Without them G is 0, and all that asks for a code raises InputError."""
        return bool(self.levels)

    @property
    def own_name(self) -> str:
        """The name of its method, as messages say it; that of its class for one that does not know its method."""
        return self.method or type(self).__name__

    def forward(self, latents: Tensor) -> QuantizerOutput:
        """Latents [B, D, H, W] → codes and vectors; in training mode with losses and the gradient estimator."""
        raise NotImplementedError("abstract: a method implements forward")

    def lookup(self, codes: Tensor) -> Tensor:
        """Codes [B, G, H, W] → vectors [B, D, H, W]: exactly those of `forward` in eval mode."""
        return self.decoder_input(self.discrete(codes))

    def codebooks(self) -> list[Tensor]:
        """The G codebooks [levels[g], P_g] in the space of `continuous`, without gradient."""
        raise NotImplementedError("abstract: a method implements codebooks")

    @property
    def learned_groups(self) -> tuple[int, ...]:
        """Groups with learned codebooks, ascending; the others are fixed, and snapshots leave them out."""
        return tuple(range(len(self.levels)))

    def learned_codebooks(self) -> list[Tensor]:
        """The codebooks of `learned_groups`, in order, as snapshots hold them and `with_codebooks` takes them."""
        books = self.codebooks()
        return [books[group] for group in self.learned_groups]

    @property
    def codebook_is_fixed(self) -> bool:
        """Whether no codebook is learned, as for a grid."""
        return not self.learned_groups

    @property
    def lattice(self) -> tuple[int, ...]:
        """Levels of the lattice that joint codes form, or (if learned) were initialised as; () without one."""
        return ()

    def continuous(self, latents: Tensor) -> Tensor:
        """Latents → the points [B, P, H, W] that are quantized. P is D for vector methods and G for grids."""
        raise NotImplementedError("abstract: a method implements continuous")

    def discrete(self, codes: Tensor) -> Tensor:
        """Codes [B, G, H, W] → their points [B, P, H, W], the quantized counterpart of `continuous`.

        By default each group has its own coordinates. A method whose groups add up overrides this. Raises InputError
        without codes.
        """
        require_codes(self.levels)
        vectors = [book[codes[:, g]] for g, book in enumerate(self.codebooks())]  # each [B, H, W, P_g]
        return rearrange(torch.cat(vectors, dim=-1), "b h w d -> b d h w")

    def decoder_input(self, points: Tensor) -> Tensor:
        """Any points [B, P, H, W] of the space of `continuous` → the decoder's input [B, D, H, W].

        This is the identity, or the method's output projection, which is affine.
        """
        return points

    def distances(self, points: Tensor) -> Tensor:
        """Points [N, P] → distances to all joint codes [N, K] in the method's `metric`; smaller is nearer.

        Raises InputError if there are too many joint codes to list.
        """
        return self.metric.distances(points, self.code_points())

    def assign(self, points: Tensor, allowed: Tensor | None = None) -> Tensor:
        """Points [N, P] → their codes [N, G] int64.

        The code is the nearest one by `distances`, or among the nearest for a method that searches stage by stage. In
        eval mode, `assign` of the points of `continuous(latents)` gives the codes of `forward(latents)`.
        allowed: a bool mask [K] of joint codes, or numbers of joint codes; by default all. At equal distances the
        lowest joint code is taken.
        Raises InputError if `allowed` is empty, or has a number outside 0 … K − 1, and without codes.
        """
        require_codes(self.levels)
        if allowed is None:
            return self._assign_each_group(points)
        codes = split_codes(self.allowed_codes(allowed)[:, None, None], self.levels)[:, :, 0, 0]
        return codes[self.metric.nearest(points, self._points_of(codes))]

    def assign_joint(self, points: Tensor) -> Tensor:
        """Points [N, P] → the numbers [N] int64 of their joint codes.

        Raises InputError if there are too many joint codes to number.
        """
        return joint_codes(self.assign(points)[:, :, None, None], self.levels).flatten()

    def _assign_each_group(self, points: Tensor) -> Tensor:
        """The nearest code of each group in its own coordinates, which make the nearest joint code."""
        books = self.codebooks()
        parts = points.split([book.shape[1] for book in books], dim=1)
        return torch.stack([self.metric.nearest(part, book) for part, book in zip(parts, books, strict=True)], dim=1)

    @torch.no_grad()
    def code_points(self) -> Tensor:
        """Points [K, P] of all joint codes in the space of `continuous`. Raises InputError if there are too many."""
        self.require_listed()
        every = torch.arange(self.codebook_size, device=self._device)[:, None, None]
        return self._points_of(split_codes(every, self.levels)[:, :, 0, 0])

    @property
    def can_be_listed(self) -> bool:
        """Whether there are at most `MOST_LISTED` joint codes."""
        return self.codebook_size <= MOST_LISTED

    def require_listed(self) -> None:
        """Raise InputError if there are too many joint codes to list, or none."""
        require_codes(self.levels)
        if not self.can_be_listed:
            raise InputError(
                f"{_groups(self.levels)} make {self.codebook_size:,d} joint codes: at most {MOST_LISTED:,d} are listed"
            )

    def allowed_codes(self, allowed: Tensor) -> Tensor:
        """The argument `allowed` of `assign` as distinct ascending numbers of joint codes, int64. Raises InputError."""
        size = self.codebook_size
        require_numbered(self.levels)
        if allowed.dtype == torch.bool:
            if allowed.shape != (size,):
                raise InputError(f"allowed is a mask of shape {list(allowed.shape)}: give one of [{size}] joint codes")
            allowed = allowed.nonzero()[:, 0]
        if allowed.numel() == 0:
            raise InputError("allowed holds no code: allow at least one")
        if allowed.is_floating_point() or allowed.is_complex():
            raise InputError(f"allowed is {allowed.dtype}: give a bool mask, or numbers of joint codes")
        codes = allowed.to(self._device, torch.int64).unique()
        for code in (codes[0].item(), codes[-1].item()):
            if not 0 <= code < size:
                raise InputError(f"code {code} is outside 0 … {size - 1}: allow joint codes of this codebook")
        return codes

    def anneal(self, progress: float) -> None:
        """Set schedules to `progress`, the finished share of training in [0, 1]; called before every step.

        Does nothing by default: a method without a schedule need not override it.
        """

    @torch.no_grad()
    def _points_of(self, codes: Tensor) -> Tensor:
        """Codes [M, G] → their points [M, P]."""
        return self.discrete(codes[:, :, None, None])[:, :, 0, 0]

    @property
    def _device(self) -> torch.device:
        return self.codebooks()[0].device


@dataclass(frozen=True)
class QuantizerConfig:
    """Settings of one method, frozen; `build(dim)` makes the quantizer. Field names are the JSON keys."""

    method: ClassVar[str]
    """The name in QUANTIZERS, and in every table."""

    default_loss_weights: ClassVar[dict[str, float]] = {}
    """Weight of each loss that the quantizer returns, by name, as published by the method's authors."""

    has_codes: ClassVar[bool] = True
    """Whether the method has codes at all."""

    training_differs: ClassVar[str] = ""
    """Why `forward` gives other codes or vectors in training mode than in eval mode; empty where it gives the same."""

    default_decoder_finish: ClassVar[float] = 0.0
    """The last share of the steps that trains the decoder alone, unless a recipe says otherwise.

    Above 0 for a method whose codes are fitted when that share begins: it can't do without.
    """

    @property
    def size(self) -> int:
        """Codebook size K; 0 without codes."""
        raise NotImplementedError("abstract: a config implements size")

    def resized(self, codebook_size: int) -> Self:
        """The same settings with K = `codebook_size`, or with the nearest product of levels for a grid."""
        raise NotImplementedError("abstract: a config implements resized")

    @classmethod
    def for_codebook_size(cls, codebook_size: int) -> Self:
        """The method's default settings, resized to `codebook_size`."""
        return cls().resized(codebook_size)

    def loss_factor(self, name: str, step: int) -> float:
        """The factor on the weight of the loss `name` at a step, counted from 0: 1 unless the method has a schedule."""
        return 1.0

    def temperatures(self, dim: int) -> tuple[float, float] | None:
        """The first and last temperature of the schedule, for latents of width `dim`; None without a temperature.

        UNSOLVED stands for a temperature that is solved for during training (unit `effective_codes`).
        """
        return None

    def learned_shapes(self, dim: int) -> list[tuple[int, ...]]:
        """Shapes [levels[g], P_g] of the learned codebooks, in the order of groups, for latents of width `dim`."""
        quantizer = self.build(dim, torch.Generator())
        return [tuple(book.shape) for book in quantizer.learned_codebooks()]

    @property
    def normalizes(self) -> bool:
        """Whether tokens are normalised, so that codes are not in the space of raw latents."""
        return False

    @property
    def fewest_tokens(self) -> int:
        """The fewest tokens in a batch for which a training step is defined."""
        return 1

    def for_raw_tokens(self, dim: int) -> Self:
        """The same settings for tokens [N, D = `dim`] without an encoder: no normalisation, no dimension lost."""
        return self

    def build(self, dim: int, generator: torch.Generator | None = None) -> Quantizer:
        """A new quantizer for latents of width `dim`, drawn from `generator`, by default torch's global one."""
        raise NotImplementedError("abstract: a config implements build")

    def _require(self, name: str, condition: bool, remedy: str) -> None:
        """Raise ValueError with the field's name and value unless `condition` holds."""
        if not condition:
            raise ValueError(f"{name} is {getattr(self, name)!r}: {remedy}")

    def _require_choice(self, name: str, choices: Sequence[str]) -> None:
        self._require(name, getattr(self, name) in choices, f"choose one of {', '.join(choices)}")


def left_out_of_hash_at(default: Any) -> Any:
    """A config field that is left out of the recipe's hash at its default.

    A setting added later, whose default changes nothing, thus leaves the hashes of older recipes unchanged.
    """
    return field(default=default, metadata={"left_out_of_hash_at": default})


LARGEST_CODEBOOK = 2**24
"""The most vectors in a codebook: 16,777,216, more than in any published one."""


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

    def learned_shapes(self, dim: int) -> list[tuple[int, ...]]:
        return [(self.codebook_size, dim)]


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
    """Codes [B, G, H, W] → joint codes [B, H, W] in [0, prod(levels)): mixed radix, first group slowest.

    Raises InputError if the product of the levels is 2^63 or more, or if there are none.
    """
    require_numbered(levels)
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


def require_codes(levels: Sequence[int]) -> None:
    """Raise InputError if there are no groups of codes."""
    if not levels:
        raise InputError("there are no codes, as nothing is quantized: give a tokenizer of a method that has codes")


def require_numbered(levels: Sequence[int]) -> None:
    """Raise InputError if the numbers of joint codes need more than 63 bits, or there are no codes."""
    require_codes(levels)
    size = math.prod(levels)
    if size >= MOST_NUMBERED:
        raise InputError(f"{_groups(levels)} make {size:,d} joint codes: a joint code has a number only below 2^63")


def _groups(levels: Sequence[int]) -> str:
    return f"{len(levels)} group{'s' if len(levels) > 1 else ''} of codes"
