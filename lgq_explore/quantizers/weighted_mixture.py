"""Gaussian mixtures whose components differ in weight, or in weight and width.

Codes c [K, D] with weights π (sum 1) and widths s, relative to each other, are Gaussians of variance τ s_k/2:

    logits = −|z − c_k|²/(τ s_k) + log π_k − (D/2) log s_k

up to what all codes have in common. At the temperature τ₀ of training this is the posterior of the mixture, and the
code is the one of the largest. As energies,

    E_nk = |z − c_k|²/s_k + b_k      b_k = τ₀ ((D/2) log s_k − log π_k)      p = softmax_k(−E/τ)

so that another temperature τ softens or hardens the same choice: its posterior is tempered, p ∝ p₀^(τ₀/τ). With equal
widths the code minimises |z − c|² − τ₀ log π, a distortion plus τ₀ times a code length: entropy-constrained vector
quantization (Chou, Lookabaugh & Gray 1989). A bias is one more coordinate of the keys.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .assignment import SoftAssignment
from .mixture import Mixture, Tables
from .nearest import Metric, largest_products, nearest_codes
from .soft_assignment.tiles import beside


class Energy(Metric):
    """|z − c|²/s + b of a code with width s and bias b, which a method computes by its mixture."""

    name = "squared distance/width + code length"


@dataclass(frozen=True)
class WeightedMixture(Mixture):
    """Codes [K, D] with a bias b [K] of their energies, without gradient where it is a moving average."""

    bias: Tensor

    def energies(self, points: Tensor) -> Tensor:
        return super().energies(points) + self.bias.detach()

    def energies_of(self, points: Tensor, codes: Tensor) -> Tensor:
        return super().energies_of(points, codes) + self.bias.detach()[codes]

    @torch.no_grad()
    def nearest(self, points: Tensor) -> Tensor:
        # b above its least is the square of one more coordinate, in which all points lie at 0.
        height = (self.bias - self.bias.min()).sqrt().to(self.codes.dtype)
        return nearest_codes(beside(points, torch.zeros_like(points[:, 0])), beside(self.codes, height))

    def only(self, codes: Tensor) -> Mixture:
        return WeightedMixture(self.codes[codes], self.bias[codes])

    def _tables(self) -> Tables:
        codes = self.codes - self.origin
        squares = codes.square().sum(1)
        keys = beside(codes, squares + self.bias)
        return Tables(keys, beside(beside(codes, squares), self.bias))

    def _mean_keys(self, out: Tensor) -> Tensor:
        return beside(out[:, : self.dim], out[:, self.dim] + out[:, self.dim + 1])


@dataclass(frozen=True)
class WideMixture(WeightedMixture):
    """Codes [K, D] with widths s [K], above 0, and a bias of their energies."""

    widths: Tensor

    def energies(self, points: Tensor) -> Tensor:
        return Mixture.energies(self, points) / self.widths.detach() + self.bias.detach()

    def energies_of(self, points: Tensor, codes: Tensor) -> Tensor:
        return Mixture.energies_of(self, points, codes) / self.widths.detach()[codes] + self.bias.detach()[codes]

    @torch.no_grad()
    def nearest(self, points: Tensor) -> Tensor:
        dtype = torch.promote_types(points.dtype, torch.float32)
        with torch.autocast(points.device.type, enabled=False):
            keys = self._tables().keys.to(dtype)
            return largest_products(self._queries(points.to(dtype), 1.0), keys).indices

    def only(self, codes: Tensor) -> Mixture:
        return WideMixture(self.codes[codes], self.bias[codes], self.widths[codes])

    def encoder_gain(self, tokens: Tensor, assignment: SoftAssignment, temperature: float) -> Tensor:
        """Mean diagonal of dq_soft/dz = (2/τ) Cov_p(c, (c − z)/s) per token, [N]; it may be negative."""
        out, dim = assignment.out.detach(), self.dim
        tokens, mean = (tokens - self.origin).detach(), out[:, :dim]
        mean_narrowed, mean_narrowness = out[:, dim + 1 : 2 * dim + 1], out[:, 2 * dim + 1]
        squares = out[:, 2 * dim + 2]  # E[|c|²/s]
        products = squares - (tokens * mean_narrowed).sum(1)  # E[c·(c − z)/s]
        slopes = mean_narrowed - mean_narrowness[:, None] * tokens  # E[(c − z)/s]
        return 2 * (products - (mean * slopes).sum(1)) / (temperature * dim)

    def _queries(self, tokens: Tensor, temperature: float | Tensor) -> Tensor:
        tokens = tokens - self.origin
        squares, ones = tokens.square().sum(1), torch.ones_like(tokens[:, 0])
        return beside(beside(2 * tokens, -squares), -ones) / temperature

    def _tables(self) -> Tables:
        codes, narrowness = self.codes - self.origin, 1 / self.widths
        squares, narrowed = codes.square().sum(1), codes * narrowness[:, None]
        keys = beside(beside(narrowed, narrowness), squares * narrowness + self.bias)
        values = [beside(codes, squares), narrowed, torch.stack([narrowness, squares * narrowness, self.bias], dim=1)]
        return Tables(keys, torch.cat(values, dim=1))

    def _mean_keys(self, out: Tensor) -> Tensor:
        keys = out[:, self.dim + 1 : 2 * self.dim + 2]
        return beside(keys, out[:, 2 * self.dim + 2] + out[:, 2 * self.dim + 3])
