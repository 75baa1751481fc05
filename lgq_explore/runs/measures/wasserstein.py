"""How far the codebook, as a set of points, is from the latents."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from lgq_explore.metrics.definition import Definition
from lgq_explore.metrics.moments import Moments, gaussian_wasserstein

from .base import MeasuredBatch, MeasureSettings, flat_tokens


class CodebookDistance:
    """Wasserstein distance of Gaussians fitted to all codes and to the latents."""

    definition: ClassVar[Definition] = Definition(
        summary="Wasserstein distance of the codebook to the latents, by Gaussians",
        keys=("codebook_wasserstein", "codebook_wasserstein_relative"),
        formula="`codebook_wasserstein` W = (|μ − μ'|² + tr(Σ + Σ' − 2 (Σ^½ Σ' Σ^½)^½))^½, μ, Σ of the latents z in "
        "the space where the method rounds, μ', Σ' of all K codes, each counted once, used or not; "
        "`codebook_wasserstein_relative` = W² / tr Σ.",
        unit="the latents' unit; none",
        bias="Two moments only: codes may match them and be useless. None where there are too many joint codes to "
        "list, or latents do not vary.",
        cost="Milliseconds a batch, and the eigenvalues of two matrices.",
        source="Dowson & Landau 1982; as a loss in Fang et al. 2025, arXiv 2506.15078. Equal to scipy's matrix roots.",
        on_request=True,
    )
    of_codes: ClassVar[bool] = True

    def __init__(self, settings: MeasureSettings) -> None:
        self._quantizer = settings.tokenizer.quantizer
        self._latents = Moments()

    def update(self, batch: MeasuredBatch) -> None:
        """Add the batch's tokens."""
        self._latents.update(flat_tokens(self._quantizer.continuous(batch.output.latents)))

    def merge(self, other: Self) -> None:
        """Add the tokens of another instance."""
        self._latents.merge(other._latents)

    def numbers(self) -> dict[str, Any]:
        """The keys of the definition."""
        variance = self._latents.covariance.trace().item()
        if not self._quantizer.can_be_listed or variance == 0:
            return dict.fromkeys(self.definition.keys)
        codes = Moments()
        codes.update(self._quantizer.code_points())
        distance = gaussian_wasserstein(self._latents, codes)
        return {"codebook_wasserstein": distance, "codebook_wasserstein_relative": distance**2 / variance}
