"""The contract of all quantizers: what they take, what they return, and how near points are to their codes.

Axis letters, throughout the package: B images in a batch · D width of the backbone's latents · H, W the grid of
latents · N = B·H·W tokens · G groups (codes a position) · K codebook size ·
P width of the space in which points are rounded · S image side in pixels.
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

MOST_LISTED = 2**22
"""Joint codes that are listed at most: 4,194,304, some hundred megabytes of points."""

MOST_NUMBERED = 2**63
"""Joint codes are numbered in int64 only where there are fewer."""


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

    dim: width D of the latents. levels: number of codes of each of the G groups. What else a method can do (a
    temperature, a start from data, an exchange of its codebooks) are classes of `capabilities` that it inherits.
    """

    metric: Metric = SquaredEuclidean()
    """The distance by which a point's nearest code is chosen."""

    assigns_nearest: bool = True
    """Whether `assign` takes the joint code of least `distances`; False where it searches greedily, stage by stage."""

    def __init__(self, dim: int, levels: Sequence[int]) -> None:
        super().__init__()
        self.dim = dim
        self.levels = tuple(levels)

    @property
    def codebook_size(self) -> int:
        """K, the number of joint codes: the product of the levels, of any size."""
        return math.prod(self.levels)

    def forward(self, latents: Tensor) -> QuantizerOutput:
        """Latents [B, D, H, W] → their codes, and the vectors with gradients when training."""
        raise NotImplementedError("abstract: a method says how it quantizes")

    def lookup(self, codes: Tensor) -> Tensor:
        """Codes [B, G, H, W] → vectors [B, D, H, W]: exactly what `forward` gives in eval mode."""
        return self.decoder_input(self.discrete(codes))

    def codebooks(self) -> list[Tensor]:
        """The G codebooks [levels[g], P_g] in the space of `continuous`, without gradient."""
        raise NotImplementedError("abstract: a method says where its codes lie")

    @property
    def learned_groups(self) -> tuple[int, ...]:
        """Groups whose codebooks are learned, ascending; the others are fixed, and no snapshots of them are kept."""
        return tuple(range(len(self.levels)))

    def learned_codebooks(self) -> list[Tensor]:
        """The codebooks of `learned_groups`, in their order: what a snapshot holds, and `with_codebooks` takes."""
        books = self.codebooks()
        return [books[group] for group in self.learned_groups]

    @property
    def codebook_is_fixed(self) -> bool:
        """Whether no codebook is learned, as in a grid."""
        return not self.learned_groups

    @property
    def lattice(self) -> tuple[int, ...]:
        """Levels of the lattice that joint codes form, or, where they are learned, started as; () for none."""
        return ()

    def continuous(self, latents: Tensor) -> Tensor:
        """What is rounded, before rounding: [B, P, H, W]. P is D for vector methods and G for grids."""
        raise NotImplementedError("abstract: a method says what it rounds")

    def discrete(self, codes: Tensor) -> Tensor:
        """Codes [B, G, H, W] → their points [B, P, H, W]; their squared distance is the quantization error.

        Each group has its own coordinates here. A method whose groups add up says so itself.
        """
        vectors = [book[codes[:, g]] for g, book in enumerate(self.codebooks())]  # each [B, H, W, P_g]
        return rearrange(torch.cat(vectors, dim=-1), "b h w d -> b d h w")

    def decoder_input(self, points: Tensor) -> Tensor:
        """Points of the space of `continuous`, codes or not → what the decoder sees of them, [B, D, H, W].

        They are themselves, unless the method projects: then the map is the same for all points, and affine.
        """
        return points

    def distances(self, points: Tensor) -> Tensor:
        """Points [N, P] → their distances to all joint codes [N, K] in the method's `metric`; smaller is nearer.

        Raises InputError where there are too many joint codes to list.
        """
        return self.metric.distances(points, self.code_points())

    def assign(self, points: Tensor, allowed: Tensor | None = None) -> Tensor:
        """Points [N, P] → the codes [N, G] int64 that they are rounded to.

        In eval mode the codes of `forward` are those of `continuous`. allowed: a bool mask [K] of joint codes, or some
        of their numbers; by default all. At equal distances the lowest joint code is taken.
        Raises InputError where `allowed` is empty, or names a code that there is not.
        """
        if allowed is None:
            return self._assign_each_group(points)
        codes = split_codes(self.allowed_codes(allowed)[:, None, None], self.levels)[:, :, 0, 0]
        return codes[self.metric.nearest(points, self._points_of(codes))]

    def assign_joint(self, points: Tensor) -> Tensor:
        """Points [N, P] → the numbers [N] int64 of the joint codes that they are rounded to.

        Raises InputError where joint codes are too many to be numbered.
        """
        return joint_codes(self.assign(points)[:, :, None, None], self.levels).flatten()

    def _assign_each_group(self, points: Tensor) -> Tensor:
        """The nearest code of each group to its own coordinates: the nearest joint code, never listing them."""
        books = self.codebooks()
        parts = points.split([book.shape[1] for book in books], dim=1)
        return torch.stack([self.metric.nearest(part, book) for part, book in zip(parts, books, strict=True)], dim=1)

    @torch.no_grad()
    def code_points(self) -> Tensor:
        """Points [K, P] of all joint codes in the space of `continuous`. Raises InputError where they are too many."""
        self.require_listed()
        every = torch.arange(self.codebook_size, device=self._device)[:, None, None]
        return self._points_of(split_codes(every, self.levels)[:, :, 0, 0])

    @property
    def can_be_listed(self) -> bool:
        """Whether there are at most `MOST_LISTED` joint codes."""
        return self.codebook_size <= MOST_LISTED

    def require_listed(self) -> None:
        """Raise InputError where there are too many joint codes to list."""
        if not self.can_be_listed:
            raise InputError(
                f"{_groups(self.levels)} make {self.codebook_size:,d} joint codes: at most {MOST_LISTED:,d} are listed"
            )

    def allowed_codes(self, allowed: Tensor) -> Tensor:
        """The numbers of joint codes, int64, ascending, each once, of what `assign` takes. Raises InputError."""
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
        """Move schedules to `progress`, the finished share of training in [0, 1]; called before every step."""

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
        """The first and the last of the schedule, for latents of width `dim`; None for a method without.

        1.0 stands for one that is solved for while training (the unit `effective_codes`).
        """
        return None

    def learned_shapes(self, dim: int) -> list[tuple[int, ...]]:
        """Shapes [levels[g], P_g] of the learned codebooks, in the order of groups, for latents of width `dim`."""
        quantizer = self.build(dim, torch.Generator())
        return [tuple(book.shape) for book in quantizer.learned_codebooks()]

    @property
    def normalizes(self) -> bool:
        """Whether tokens are normalised, so that codes do not lie among raw latents."""
        return False

    @property
    def fewest_tokens(self) -> int:
        """Tokens that a batch needs at least, for a step to be defined."""
        return 1

    def for_raw_tokens(self, dim: int) -> Self:
        """The same settings for tokens [N, D = `dim`] that no encoder makes: no normalisation, no dimension lost."""
        return self

    def build(self, dim: int, generator: torch.Generator | None = None) -> Quantizer:
        """A new quantizer for latents of width `dim`, drawn from `generator`, or from torch's global one."""
        raise NotImplementedError("abstract: a config builds its method")

    def _require(self, name: str, condition: bool, remedy: str) -> None:
        """Raise ValueError with the field's name and the value it got, unless `condition` holds."""
        if not condition:
            raise ValueError(f"{name} is {getattr(self, name)!r}: {remedy}")

    def _require_choice(self, name: str, choices: Sequence[str]) -> None:
        self._require(name, getattr(self, name) in choices, f"choose one of {', '.join(choices)}")


def left_out_of_hash_at(default: Any) -> Any:
    """A config's field whose default changes nothing: a recipe's hash leaves it out there.

    So a setting can be added without renaming every recipe that came before it.
    """
    return field(default=default, metadata={"left_out_of_hash_at": default})


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
    """Codes [B, G, H, W] → one number in [0, prod(levels)) a position [B, H, W], mixed radix, first group slowest.

    Raises InputError where the product of the levels is 2^63 or more.
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


def require_numbered(levels: Sequence[int]) -> None:
    """Raise InputError where joint codes need more than 63 bits: they then have no number, but their codes have."""
    size = math.prod(levels)
    if size >= MOST_NUMBERED:
        raise InputError(f"{_groups(levels)} make {size:,d} joint codes: a joint code has a number only below 2^63")


def _groups(levels: Sequence[int]) -> str:
    return f"{len(levels)} group{'s' if len(levels) > 1 else ''} of codes"
