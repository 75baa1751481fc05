"""Codes as the components of a Gaussian mixture: responsibilities at a temperature, and what they let a token hear.

Codes c [K, D] stand for isotropic Gaussians of variance τ/2 and equal weights. A token z has the energies and
responsibilities

    E_nk = |z_n − c_k|²      p_nk = softmax_k(−E_nk/τ)      F_n = −τ log Σ_k exp(−E_nk/τ)

and F obeys 0 ≤ min_k E_nk − F_n ≤ τ log K. The expected code q_soft = Σ_k p_nk c_k depends on the token by
dq_soft/dz = (2/τ) Cov_p(c), whose mean diagonal is the encoder gain.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .assignment import SoftAssignment, Softness, common_offset
from .nearest import SquaredEuclidean, nearest_codes
from .soft_assignment.autograd import soft_assign


@dataclass(frozen=True)
class Tables:
    """What stands for the codes in a soft assignment: keys [K, E], and values [K, F], which begin with [c, |c|²]."""

    keys: Tensor
    values: Tensor


@dataclass(frozen=True)
class Products:
    """Logits as dot products of queries [N, E] and keys [K, E]: the responsibilities are softmax(queries keysᵀ)."""

    queries: Tensor
    keys: Tensor


@dataclass(frozen=True)
class Mixture:
    """Codes [K, D] as a mixture of equal components. Gradients reach the codes and the tokens."""

    codes: Tensor

    @property
    def dim(self) -> int:
        """D, the width of codes and tokens."""
        return self.codes.shape[1]

    @property
    def origin(self) -> Tensor:
        """The origin [D] from which codes and tokens are measured, to reduce rounding errors."""
        return common_offset(self.codes)

    def assign(self, tokens: Tensor, temperature: float, drop: float = 0.0, finite: bool = False) -> SoftAssignment:
        """The soft assignment of tokens [N, D]; drop and finite are those of `soft_assign`.

        The first D + 1 columns of its `out` are the expectation of [c, |c|²], with c measured from `origin`.
        """
        tables = self._tables()
        return soft_assign(self._queries(tokens, temperature), tables.keys, tables.values, drop=drop, finite=finite)

    def products(self, tokens: Tensor, temperature: float | Tensor) -> Products:
        """The logits of tokens [N, D], up to what all codes of a token have in common.

        temperature: a number, or a scalar with gradient.
        """
        return Products(self._queries(tokens, temperature), self._tables().keys)

    def expected(self, assignment: SoftAssignment) -> Tensor:
        """q_soft [N, D]."""
        return assignment.out[:, : self.dim] + self.origin

    @torch.no_grad()
    def softness(self, tokens: Tensor, assignment: SoftAssignment, temperature: float) -> Softness:
        """How soft an assignment of tokens [N, D] by `assign` at this temperature is."""
        queries = self._queries(tokens, temperature)
        # Logits leave out what all codes have in common.
        mean_logit = (queries * self._mean_keys(assignment.out)).sum(1)
        largest_logit = (queries * self._tables().keys[assignment.codes]).sum(1)
        return Softness(
            temperature=temperature,
            codes=assignment.codes,
            log_largest=(largest_logit - assignment.lse).clamp(max=0),
            entropy=(assignment.lse - mean_logit).clamp(min=0),
            encoder_gain=self.encoder_gain(tokens, assignment, temperature),
            soft=self.expected(assignment),
            hard=self.codes[assignment.codes],
        )

    @torch.no_grad()
    def encoder_gain(self, tokens: Tensor, assignment: SoftAssignment, temperature: float) -> Tensor:
        """Mean diagonal of dq_soft/dz per token, [N]: the share of the decoder's gradient that its encoder hears.

        The straight-through estimator has gain 1.
        """
        mean, mean_square = assignment.out[:, : self.dim], assignment.out[:, self.dim]
        variance = (mean_square - mean.square().sum(1)).clamp(min=0)
        return 2 * variance / (temperature * self.dim)

    @torch.no_grad()
    def energies(self, points: Tensor) -> Tensor:
        """E [N, K] of points [N, D]."""
        return SquaredEuclidean().distances(points, self.codes)

    @torch.no_grad()
    def energies_of(self, points: Tensor, codes: Tensor) -> Tensor:
        """E [N] of points [N, D] and one code [N] each."""
        return (points - self.codes[codes]).square().sum(1)

    def nearest(self, points: Tensor) -> Tensor:
        """The code [N] of the least energy of each point [N, D]; ties go to the lowest."""
        return nearest_codes(points, self.codes)

    def only(self, codes: Tensor) -> Mixture:
        """The mixture of some codes [M] of this one."""
        return Mixture(self.codes[codes])

    def _queries(self, tokens: Tensor, temperature: float | Tensor) -> Tensor:
        """The queries [N, E] whose products with the keys are the logits, but for what a token's have in common."""
        tokens = tokens - self.origin
        return torch.cat([2 * tokens, -torch.ones_like(tokens[:, :1])], dim=1) / temperature

    def _tables(self) -> Tables:
        codes = self.codes - self.origin
        keys = torch.cat([codes, codes.square().sum(1, keepdim=True)], dim=1)
        return Tables(keys, keys)

    def _mean_keys(self, out: Tensor) -> Tensor:
        """The expectation [N, E] of the keys from that of the values, [N, F]."""
        return out
