"""Gradient of the loss under noise, which is defined although the loss of rounded tokens has no useful gradient.

A loss f of rounded tokens Q(z) is constant almost everywhere and jumps at the borders of cells. Its mean under noise,
E f(Q(z + σε)) with ε ~ N(0, 1), is smooth, and its gradient is E[f(Q(z + σε)) ε]/σ. It is estimated from antithetic
pairs ±ε, in two parts. The part linear in Q, with a slope g, separates into tokens: each depends on its own noise only,
and no decoder is needed. The rest, f(Q) − g·Q, takes the decoder, and is small where g is the mean slope of f under the
noise. Both parts are unbiased for any g that was estimated from other samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from lgq_explore.errors import InputError
from lgq_explore.quantizers import Quantizer, to_grid, to_tokens

LossOfPictures = Callable[[Tensor], Tensor]
"""Quantized [B, D, H, W] → the loss of each picture [B], differentiable, and dependent on its own vectors only."""

LINEAR_PAIRS_A_PAIR = 8
"""Antithetic pairs for the linear part, for each pair of the part that takes the decoder."""

SLOPE_PAIRS = 16
"""Antithetic pairs over which the slope is averaged."""


@dataclass(frozen=True)
class SmoothedGradient:
    """Two independent estimates of the gradient in the raw latents [B, D, H, W], of half of the pairs each.

    sigma: standard deviation of the noise, in the space of `continuous`. pairs: of both halves together.
    """

    halves: tuple[Tensor, Tensor]
    sigma: float
    pairs: int

    @property
    def mean(self) -> Tensor:
        """The estimate from all pairs, [B, D, H, W]."""
        return (self.halves[0] + self.halves[1]) / 2

    @property
    def squared_norm(self) -> float:
        """|gradient|² without bias from noise: the product of the two halves. It may be negative if all is noise."""
        return float((self.halves[0].double() * self.halves[1].double()).sum())

    @property
    def agreement(self) -> float:
        """Cosine between the two halves: 1 without noise, about 0 where all is noise."""
        return self.squared_norm / math.prod(half.double().norm().item() for half in self.halves)


def rounding_error(quantizer: Quantizer, latents: Tensor) -> float:
    """√(mean (z − Q(z))²) over tokens and dimensions: the size of a cell, and the natural σ. Latents are raw."""
    with torch.no_grad():
        tokens = quantizer.continuous(latents)
        return (tokens - hard(quantizer, tokens)).square().mean().sqrt().item()


def hard(quantizer: Quantizer, continuous: Tensor) -> Tensor:
    """The points of the codes that [B, P, H, W] in the space of `continuous` are rounded to, without gradient."""
    return quantizer.discrete(to_grid(quantizer.assign(to_tokens(continuous)), continuous))


def smoothed_gradient(
    quantizer: Quantizer,
    latents: Tensor,
    loss: LossOfPictures,
    sigma: float,
    pairs: int = 64,
    seed: int = 0,
) -> SmoothedGradient:
    """The gradient of Σ_b E f_b(Q(z + σε)) in raw latents [B, D, H, W], z being what the quantizer rounds of them.

    quantizer: one codebook, in eval mode. pairs: antithetic pairs of noise that go through the loss; an even number.

    Raises:
        InputError: a σ that is not positive, an odd number of pairs, or a quantizer with several codebooks.
    """
    _check(quantizer, sigma, pairs)
    with torch.no_grad():
        continuous = quantizer.continuous(latents)
    generator = torch.Generator().manual_seed(seed)
    slope = _slope(loss, _pairs(quantizer, continuous, sigma, SLOPE_PAIRS, generator))
    halves = []
    for _ in range(2):
        few, many = pairs // 2, LINEAR_PAIRS_A_PAIR * pairs // 2
        linear = _linear_part(slope, sigma, _pairs(quantizer, continuous, sigma, many, generator))
        rest = _rest(slope, loss, sigma, _pairs(quantizer, continuous, sigma, few, generator))
        halves.append(_in_latents(quantizer, latents, linear + rest))
    return SmoothedGradient((halves[0], halves[1]), sigma, pairs)


def _check(quantizer: Quantizer, sigma: float, pairs: int) -> None:
    if not 0 < sigma < math.inf:
        raise InputError(f"sigma is {sigma}: give a positive number")
    if pairs < 2 or pairs % 2:
        raise InputError(f"pairs is {pairs}: give an even number, at least 2")
    require_one_code(quantizer)


def require_one_code(quantizer: Quantizer) -> None:
    """Raise InputError for several codes a position, whose points are not what the decoder takes."""
    if len(quantizer.levels) > 1:
        raise InputError(f"{quantizer.own_name} has {len(quantizer.levels)} codes a position: give one with one")


def _slope(loss: LossOfPictures, pairs: Iterable[_Pair]) -> Tensor:
    """g, the mean gradient of the loss with respect to the quantized vectors over the noise, [B, D, H, W]."""
    slopes: list[Tensor] = []
    for pair in pairs:
        for quantized in (pair.plus, pair.minus):
            leaf = quantized.detach().requires_grad_()
            slopes += torch.autograd.grad(loss(leaf).sum(), leaf)
    return torch.stack(slopes).mean(0)


@dataclass(frozen=True)
class _Pair:
    """Noise ε, and the quantized vectors with +ε and with −ε, [B, D, H, W] each."""

    noise: Tensor
    plus: Tensor
    minus: Tensor


def _pairs(
    quantizer: Quantizer, continuous: Tensor, sigma: float, count: int, generator: torch.Generator
) -> Iterator[_Pair]:
    for _ in range(count):
        noise = torch.randn(continuous.shape, generator=generator, dtype=continuous.dtype).to(continuous.device)
        plus, minus = (hard(quantizer, continuous + sign * sigma * noise) for sign in (1, -1))
        yield _Pair(noise, plus, minus)


@torch.no_grad()
def _linear_part(slope: Tensor, sigma: float, pairs: Iterable[_Pair]) -> Tensor:
    """The gradient of E g·Q(z + σε): that of each token depends on its own noise only."""
    terms = ((slope * (pair.plus - pair.minus)).sum(1, keepdim=True) * pair.noise for pair in pairs)
    return _mean(terms) / (2 * sigma)


@torch.no_grad()
def _rest(slope: Tensor, loss: LossOfPictures, sigma: float, pairs: Iterable[_Pair]) -> Tensor:
    """The gradient of E [f(Q(z + σε)) − g·Q(z + σε)]: that of each picture depends on the noise of all its tokens."""
    terms = []
    for pair in pairs:
        rest = loss(pair.plus) - loss(pair.minus) - (slope * (pair.plus - pair.minus)).sum((1, 2, 3))
        terms.append(rest[:, None, None, None] * pair.noise)
    return _mean(terms) / (2 * sigma)


def _mean(terms: Iterable[Tensor]) -> Tensor:
    total, count = torch.zeros(()), 0
    for term in terms:
        total, count = total + term, count + 1
    return total / count


def _in_latents(quantizer: Quantizer, latents: Tensor, gradient: Tensor) -> Tensor:
    """A gradient in the codes' space, propagated back through the quantizer's own normalisation."""
    leaf = latents.detach().requires_grad_()
    (in_latents,) = torch.autograd.grad(quantizer.continuous(leaf), leaf, grad_outputs=gradient)
    return in_latents
