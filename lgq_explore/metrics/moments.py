"""Mean and covariance of vectors, and numbers from them: effective dimensions, and distances of two Gaussians."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor

from lgq_explore.errors import InputError


class Moments:
    """Number, mean and covariance of vectors [N, P], accumulated over batches in float64 on the CPU.

    Deviations are summed around a running mean (Chan, Golub & LeVeque 1983), so that the result does not depend on how
    batches are cut, and is exact for vectors far from 0.
    """

    def __init__(self) -> None:
        self.number = 0
        self._mean: Tensor | None = None
        self._deviations: Tensor | None = None  # Σ (x − mean)(x − mean)ᵀ

    def update(self, vectors: Tensor) -> None:
        """Add vectors [N, P], on any device. Raises InputError for another width than before."""
        values = vectors.detach().double()
        if len(values):
            mean = values.mean(dim=0)
            centred = values - mean
            self._add(len(values), mean.cpu(), (centred.T @ centred).cpu())

    def merge(self, other: Self) -> None:
        """Add the vectors of another instance. Raises InputError for another width."""
        if other._mean is not None and other._deviations is not None:
            self._add(other.number, other._mean, other._deviations)

    @property
    def mean(self) -> Tensor:
        """[P] float64. Raises InputError before the first vector."""
        return self._required(self._mean)

    @property
    def covariance(self) -> Tensor:
        """[P, P] float64, divided by N. Raises InputError before the first vector."""
        return self._required(self._deviations) / self.number

    def _add(self, number: int, mean: Tensor, deviations: Tensor) -> None:
        if self._mean is None or self._deviations is None:
            self.number, self._mean, self._deviations = number, mean.clone(), deviations.clone()
            return
        if mean.shape != self._mean.shape:
            raise InputError(f"vectors of width {len(mean)} follow vectors of width {len(self._mean)}: give one width")
        total = self.number + number
        shift = mean - self._mean
        self._deviations += deviations + torch.outer(shift, shift) * (self.number * number / total)
        self._mean += shift * (number / total)
        self.number = total

    def _required(self, value: Tensor | None) -> Tensor:
        if value is None:
            raise InputError("the moments of no vectors are undefined: update with at least one batch")
        return value


def effective_dimensions(covariance: Tensor) -> float | None:
    """(Σ λ)² / Σ λ² of the eigenvalues of a covariance [P, P]: P where all are equal; None where all are 0."""
    squares = covariance.square().sum().item()
    return covariance.trace().item() ** 2 / squares if squares > 0 else None


def gaussian_wasserstein(one: Moments, other: Moments) -> float:
    """2-Wasserstein distance of the Gaussians with these moments.

    W² = |μ − μ'|² + tr(Σ + Σ' − 2 (Σ^½ Σ' Σ^½)^½)        (Dowson & Landau 1982)
    """
    values, vectors = torch.linalg.eigh(one.covariance)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    product = torch.linalg.eigvalsh(root @ other.covariance @ root).clamp(min=0).sqrt().sum()
    squared = (one.mean - other.mean).square().sum() + (one.covariance + other.covariance).trace() - 2 * product
    return squared.clamp(min=0).sqrt().item()
