"""The variance of a mean over seeds and photographs, both drawn: crossed random effects, by analysis of variance.

The value of seed i on photograph j is taken as

    y_ij = μ + s_i + p_j + e_ij        variances σ²_s, σ²_p, σ²_e

with S seeds and P photographs, so that the mean ȳ has the variance σ²_s/S + σ²_p/P + σ²_e/(S P). The mean squares

    V_s = Σ_i (ȳ_i· − ȳ)² / (S (S − 1))                      expectation σ²_s/S + σ²_e/(S P)
    V_p = Σ_j (ȳ_·j − ȳ)² / (P (P − 1))                      expectation σ²_p/P + σ²_e/(S P)
    V_e = Σ_ij (y_ij − ȳ_i· − ȳ_·j + ȳ)² / (S P (S − 1) (P − 1))        expectation σ²_e/(S P)

give max(V_s − V_e, 0) + max(V_p − V_e, 0) + V_e, with the degrees of freedom of Satterthwaite (1946):

    ν = variance² / Σ_k (c_k V_k)²/ν_k        c_k: how often V_k is in the sum

Several groups of seeds, each independent of the others on the same photographs, add up: V_p is then of the sum of the
groups' means of each photograph, and each group has its own V_s and V_e.

Searle, Casella & McCulloch, Variance Components, 1992, chapter 4; Satterthwaite, Biometrics Bulletin 2, 1946.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class CrossedVariance:
    """The mean squares of the module's first lines, each on the scale of the variance of the estimate.

    photographs: V_p. seeds, residuals: V_s and V_e of each group of seeds. number_of_seeds: S of each group.
    """

    photographs: float
    seeds: tuple[float, ...]
    residuals: tuple[float, ...]
    number_of_photographs: int
    number_of_seeds: tuple[int, ...]

    @property
    def variance(self) -> float:
        """Of the estimate."""
        return float(np.dot(self._coefficients, self._mean_squares))

    @property
    def standard_error(self) -> float:
        return float(np.sqrt(self.variance))

    @property
    def degrees_of_freedom(self) -> float:
        """By Satterthwaite; infinite where nothing varies."""
        parts = self._coefficients * self._mean_squares
        spread = float(np.sum(parts**2 / self._degrees))
        return self.variance**2 / spread if spread > 0 else float("inf")

    @property
    def _mean_squares(self) -> NDArray[np.float64]:
        return np.array([self.photographs, *self.seeds, *self.residuals])

    @property
    def _coefficients(self) -> NDArray[np.float64]:
        """How often each mean square is in the sum: one whose component would be negative is left out."""
        seeds, residuals = np.array(self.seeds), np.array(self.residuals)
        photographs_vary = float(self.photographs > residuals.sum())
        seeds_vary = (seeds > residuals).astype(float)
        return np.concatenate([[photographs_vary], seeds_vary, 1 - photographs_vary - seeds_vary])

    @property
    def _degrees(self) -> NDArray[np.float64]:
        """Of each mean square."""
        of_photographs = self.number_of_photographs - 1
        of_seeds = np.array(self.number_of_seeds) - 1
        return np.concatenate([[of_photographs], of_seeds, of_seeds * of_photographs])


def crossed_variance(groups: Sequence[NDArray[np.float64]]) -> CrossedVariance:
    """Of the sum of the groups' means.

    groups: an array [S, P] for each group of seeds, at least 2 seeds and 2 photographs, the same photographs in all.
    """
    of_seeds = [group.mean(axis=1) for group in groups]
    of_photographs = [group.mean(axis=0) for group in groups]
    residuals = [
        group - by_seed[:, None] - by_photograph[None, :] + group.mean()
        for group, by_seed, by_photograph in zip(groups, of_seeds, of_photographs, strict=True)
    ]
    return CrossedVariance(
        photographs=_variance_of_mean(np.sum(of_photographs, axis=0)),
        seeds=tuple(_variance_of_mean(by_seed) for by_seed in of_seeds),
        residuals=tuple(_variance_of_mean_residual(residual) for residual in residuals),
        number_of_photographs=groups[0].shape[1],
        number_of_seeds=tuple(len(group) for group in groups),
    )


def _variance_of_mean(values: NDArray[np.float64]) -> float:
    return float(values.var(ddof=1)) / len(values)


def _variance_of_mean_residual(residual: NDArray[np.float64]) -> float:
    seeds, photographs = residual.shape
    return float(np.sum(residual**2)) / (residual.size * (seeds - 1) * (photographs - 1))
