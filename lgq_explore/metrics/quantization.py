"""The quantization error of latents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from lgq_explore.errors import InputError


@dataclass(frozen=True)
class QuantizationErrorResult:
    """The result of `QuantizationError` for N tokens of width D.

    `value` is the quantization error relative to the latents' variance: 0 when nothing is lost, 1 when every
    token is replaced by the mean latent, and None when the latents do not vary (a collapsed encoder), where
    it is undefined.
    """

    value: float | None
    tokens: int


class QuantizationError:
    """Quantization error of latents z and their quantized values z_q, accumulated over batches.

        error = mean_n ||z_n − z_q,n||² / trace cov(z),   cov(z) = mean_n (z_n − mean z)(z_n − mean z)ᵀ

    Sums are in float64, and the variance is accumulated around a running mean (Chan, Golub & LeVeque 1983), so that the
    value does not depend on how batches are cut, and is exact for latents far from 0.
    """

    def __init__(self) -> None:
        self._tokens = 0
        self._squared_distance = 0.0
        self._squared_deviation = 0.0
        self._mean: Tensor | None = None

    def update(self, latents: Tensor, quantized: Tensor) -> None:
        """Add a batch.

        Args:
            latents: [B, D, …] (a grid of tokens, or [N, D]), in the space in which they are quantized.
            quantized: the quantized latents, in the same shape.

        Raises:
            InputError: different shapes, another width than in earlier batches, or values that are not finite.
        """
        if latents.shape != quantized.shape or latents.ndim < 2:
            raise InputError(
                f"latents have shape {list(latents.shape)} and quantized {list(quantized.shape)}: "
                "give two tensors of one shape [B, D, …]"
            )
        if self._mean is not None and latents.shape[1] != len(self._mean):
            raise InputError(
                f"latents of width {latents.shape[1]} follow latents of width {len(self._mean)}: give one width"
            )
        if latents.numel() == 0:
            return
        tokens = _as_tokens(latents)
        distances = (tokens - _as_tokens(quantized)).square().sum().item()
        mean = tokens.mean(dim=0)
        deviation = (tokens - mean).square().sum().item()
        if not torch.tensor([distances, deviation]).isfinite().all():
            raise InputError("latents or quantized hold values that are not finite: the model has diverged")
        self._squared_distance += distances
        self._add_moments(len(tokens), mean.cpu(), deviation)

    def merge(self, other: Self) -> None:
        """Add the tokens of another instance. Raises InputError for those of another width."""
        if other._mean is None:
            return
        if self._mean is not None and len(self._mean) != len(other._mean):
            raise InputError(f"latents of width {len(other._mean)} follow latents of width {len(self._mean)}")
        self._squared_distance += other._squared_distance
        self._add_moments(other._tokens, other._mean, other._squared_deviation)

    def compute(self) -> QuantizationErrorResult:
        """The error over all tokens so far.

        Raises:
            InputError: before the first token.
        """
        if self._mean is None:
            raise InputError("the quantization error of no tokens is undefined: update with at least one batch")
        distance = self._squared_distance / self._tokens
        variance = self._squared_deviation / self._tokens
        # The mean of equal latents differs from them by rounding, which leaves a tiny variance.
        rounding = 1e-24 * self._mean.square().sum().item()
        return QuantizationErrorResult(
            value=distance / variance if variance > rounding else None,
            tokens=self._tokens,
        )

    def _add_moments(self, tokens: int, mean: Tensor, squared_deviation: float) -> None:
        if self._mean is None:
            self._mean = torch.zeros_like(mean)
        total = self._tokens + tokens
        shift = mean - self._mean
        self._squared_deviation += squared_deviation + shift.square().sum().item() * self._tokens * tokens / total
        self._mean += shift * (tokens / total)
        self._tokens = total


def _as_tokens(latents: Tensor) -> Tensor:
    """[B, D, …] → [N, D] in float64."""
    return latents.detach().double().movedim(1, -1).flatten(0, -2)
