"""Measures of latents: the error of quantization in their own space, and how many dimensions they fill."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from lgq_explore.metrics.definition import Definition
from lgq_explore.metrics.moments import Moments, effective_dimensions
from lgq_explore.metrics.quantization import QuantizationError

from .base import MeasuredBatch, MeasureSettings, flat_tokens


class QuantizationErrorOfLatents:
    """`QuantizationError` in the space where the method rounds."""

    definition: ClassVar[Definition] = Definition(
        summary="squared error of quantization over the variance of the latents",
        keys=("quantization_error",),
        formula="mean |z − z_q|² / tr cov(z), z in the space where the method rounds (`Quantizer.continuous`).",
        unit="none: 0 loses nothing, 1 is the mean latent for all",
        bias="None over tokens. Spaces of methods differ: a grid's is bounded, a codebook's is not.",
        cost="Microseconds an image.",
        source="Gersho & Gray 1992, ch. 10; equal to the formula in NumPy.",
    )
    of_codes: ClassVar[bool] = True

    def __init__(self, settings: MeasureSettings) -> None:
        self._quantizer = settings.tokenizer.quantizer
        self._error = QuantizationError()

    def update(self, batch: MeasuredBatch) -> None:
        """Add the batch's tokens, if they have a common space with their codes."""
        if self._quantizer.no_geometry:
            return
        self._error.update(self._quantizer.continuous(batch.output.latents), self._quantizer.discrete(batch.codes))

    def merge(self, other: Self) -> None:
        """Add the tokens of another instance."""
        self._error.merge(other._error)

    def numbers(self) -> dict[str, Any]:
        """The keys of the definition; None for a method whose tokens have no common space with their codes."""
        return {"quantization_error": None if self._quantizer.no_geometry else self._error.compute().value}


class LatentDimensions:
    """Effective dimensions of the latents in the space where the method rounds."""

    definition: ClassVar[Definition] = Definition(
        summary="effective number of dimensions that the latents fill",
        keys=("latent_dimensions", "latent_width"),
        formula="`latent_dimensions` = (Σ λ)² / Σ λ², λ the eigenvalues of cov(z), z in the space where the method "
        "rounds, of width `latent_width`. It is the width where all directions vary alike, 1 where a single one does.",
        unit="dimensions",
        bias="Low by about d²/N for d dimensions and N tokens: N ≫ d is needed.",
        cost="Milliseconds a batch.",
        source="Participation ratio; Del Giudice 2021, Multivariate Behavioral Research 56, 527.",
        on_request=True,
    )
    of_codes: ClassVar[bool] = False

    def __init__(self, settings: MeasureSettings) -> None:
        self._quantizer = settings.tokenizer.quantizer
        self._moments = Moments()

    def update(self, batch: MeasuredBatch) -> None:
        """Add the batch's tokens."""
        self._moments.update(flat_tokens(self._quantizer.continuous(batch.output.latents)))

    def merge(self, other: Self) -> None:
        """Add the tokens of another instance."""
        self._moments.merge(other._moments)

    def numbers(self) -> dict[str, Any]:
        """The keys of the definition; None where the latents do not vary."""
        covariance = self._moments.covariance
        return {"latent_dimensions": effective_dimensions(covariance), "latent_width": len(covariance)}
