"""Mixtures in the plane whose least distortion is known, or can be found.

Every mixture has mean 0 and a total variance of 2, that of tokens of width 2 after a LayerNorm without its mean, so
that the published temperatures, from 1.0 to 0.1, are in a sensible range.

The least distortion of K codes is 2σ² for K separate Gaussians of deviation σ, with one code on each, and
(L/K)²/12 + s² for a thin line of length L with deviation s across it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lgq_explore.errors import InputError, near_matches

VARIANCE = 2.0
"""Trace of the covariance of every mixture."""

TRAINING_TOKENS, HELD_OUT_TOKENS = 4096, 20_000

HELD_OUT_SEED = 2**31
"""Added to a seed, so that held-out points are drawn independently."""

DEVIATION = 0.12
"""Standard deviation of the round Gaussians: a tenth of the distance between neighbours."""


@dataclass(frozen=True)
class Toy:
    """A mixture in the plane. codes: the K that suits it. draw: N points [N, 2] from a generator.

    exact: the least distortion of K codes where a formula has it, else None.
    """

    what: str
    codes: int
    draw: Callable[[int, torch.Generator], Tensor]
    exact: Callable[[int], float | None]


def toy_tokens(data: str, tokens: int = TRAINING_TOKENS, seed: int = 0) -> Tensor:
    """N points [N, 2] of a mixture of TOYS, float32, the same for the same seed.

    Raises:
        InputError: an unknown name, or fewer than one token.
    """
    if tokens < 1:
        raise InputError(f"tokens is {tokens}: give at least 1")
    return toy_named(data).draw(tokens, torch.Generator().manual_seed(seed)).float()


def toy_named(data: str) -> Toy:
    """The mixture of that name. Raises InputError for another."""
    if data not in TOYS:
        raise InputError(f"unknown data {data!r}{near_matches(data, TOYS)}; choose one of {', '.join(TOYS)}")
    return TOYS[data]


def _gaussians(what: str, centres: Tensor, masses: Sequence[float] | None = None) -> Toy:
    """Round Gaussians of deviation DEVIATION, moved and scaled to mean 0 and the common variance."""
    share = torch.tensor(masses or [1.0] * len(centres), dtype=torch.float64)
    share = share / share.sum()
    centres = centres.double() - share @ centres.double()
    spread = (share @ centres.square().sum(1)).sqrt()
    centres = centres * (math.sqrt(VARIANCE - 2 * DEVIATION**2) / spread)

    def draw(tokens: int, generator: torch.Generator) -> Tensor:
        chosen = torch.multinomial(share, tokens, replacement=True, generator=generator)
        return centres[chosen] + DEVIATION * torch.randn(tokens, 2, generator=generator, dtype=torch.float64)

    return Toy(what, len(centres), draw, lambda codes: 2 * DEVIATION**2 if codes == len(centres) else None)


def _ring() -> Toy:
    angles = 2 * math.pi * torch.arange(8, dtype=torch.float64) / 8
    return _gaussians("8 equal Gaussians on a circle", torch.stack([angles.cos(), angles.sin()], dim=1))


def _grid() -> Toy:
    axis = torch.tensor([-1.0, 0.0, 1.0])
    return _gaussians("9 equal Gaussians on a square grid", torch.cartesian_prod(axis, axis))


def _uneven() -> Toy:
    """Centres on a spiral of golden angles, which keeps them apart; each mass is two thirds of the one before."""
    number = torch.arange(8, dtype=torch.float64)
    angle, radius = number * math.pi * (3 - math.sqrt(5)), (number + 0.5).sqrt()
    centres = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)
    return _gaussians("8 Gaussians, each two thirds as heavy as the last", centres, [(2 / 3) ** k for k in range(8)])


def _line() -> Toy:
    across = 0.05
    length = math.sqrt(12 * (VARIANCE - across**2))

    def draw(tokens: int, generator: torch.Generator) -> Tensor:
        along = length * (torch.rand(tokens, generator=generator, dtype=torch.float64) - 0.5)
        return torch.stack([along, across * torch.randn(tokens, generator=generator, dtype=torch.float64)], dim=1)

    def exact(codes: int) -> float | None:
        # Where cells are narrower than the line is thick, codes along a line are no longer optimal.
        return (length / codes) ** 2 / 12 + across**2 if length / codes > 4 * across else None

    return Toy("a thin line, evenly filled", 8, draw, exact)


def _spiral() -> Toy:
    noise, turns = 0.05, 1.75

    def draw(tokens: int, generator: torch.Generator) -> Tensor:
        # The square root of an even draw fills the arm evenly along its length.
        way = torch.rand(tokens, generator=generator, dtype=torch.float64).sqrt()
        angle = 2 * math.pi * turns * way
        arm = way[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)
        # Of the whole spiral: mean and variance along the arm, by quadrature.
        even = ((torch.arange(4096, dtype=torch.float64) + 0.5) / 4096).sqrt()
        whole = even[:, None] * torch.stack(
            [(2 * math.pi * turns * even).cos(), (2 * math.pi * turns * even).sin()], dim=1
        )
        scale = math.sqrt((VARIANCE - 2 * noise**2) / (whole - whole.mean(0)).square().sum(1).mean())
        return (arm - whole.mean(0)) * scale + noise * torch.randn(tokens, 2, generator=generator, dtype=torch.float64)

    return Toy("the arm of a spiral", 16, draw, lambda codes: None)


def _square() -> Toy:
    side = math.sqrt(6 * VARIANCE)

    def draw(tokens: int, generator: torch.Generator) -> Tensor:
        return side * (torch.rand(tokens, 2, generator=generator, dtype=torch.float64) - 0.5)

    return Toy("a square, evenly filled", 16, draw, lambda codes: VARIANCE if codes == 1 else None)


TOYS: Mapping[str, Toy] = {
    "ring": _ring(),
    "grid": _grid(),
    "uneven": _uneven(),
    "line": _line(),
    "spiral": _spiral(),
    "square": _square(),
}
"""Mixtures in the plane, by name."""
