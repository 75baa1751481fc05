"""The quality of pictures that are decoded from expected code vectors, for methods that are meant to be used so."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from lgq_explore.metrics.definition import Definition
from lgq_explore.metrics.pictures import PICTURE_METRICS, picture_metric
from lgq_explore.quantizers import Quantizer, SoftQuantizer

from .base import MeasuredBatch, MeasureSettings, decoded

WHY_APART = "decoded from weighted sums of code vectors, which codes do not determine: their bits say nothing of it"


class SoftDecode:
    """Metrics of pictures decoded from `soft` at the method's temperature; of other methods, nothing is measured."""

    definition: ClassVar[Definition] = Definition(
        summary="quality of pictures decoded from weighted sums of code vectors, of methods meant for them",
        keys=("soft_decode",),
        formula="The metrics of pictures of every evaluation, of what is decoded from Σ_k p_k c_k at the method's "
        "temperature. Null for methods that do not say `decodes_softly`.",
        unit="those of the metrics",
        bias="Such pictures depend on more than the codes: no number of bits belongs to them.",
        cost="One more decoding of each image, and its metrics.",
        source="SoftVQ-VAE, Chen et al., CVPR 2025, arXiv 2412.10958.",
    )
    of_codes: ClassVar[bool] = True

    def __init__(self, settings: MeasureSettings) -> None:
        self._tokenizer = settings.tokenizer
        self._quantizer = _meant_for_soft(settings.tokenizer.quantizer)
        usual = [name for name, metric in PICTURE_METRICS.items() if not metric.definition.on_request]
        names = [] if self._quantizer is None else usual
        self._metrics = [picture_metric(name, settings.pictures, name in settings.left_out) for name in names]

    def update(self, batch: MeasuredBatch) -> None:
        """Decode the batch from expected vectors."""
        if self._quantizer is None:
            return
        vectors = self._quantizer.soft(batch.output.latents, self._quantizer.temperature)
        reconstructions = decoded(self._tokenizer, vectors)
        for metric in self._metrics:
            metric.update(batch.unit_pictures, reconstructions)

    def merge(self, other: Self) -> None:
        """Add the images of another instance."""
        for metric, of_other in zip(self._metrics, other._metrics, strict=True):
            metric.merge(of_other)

    def numbers(self) -> dict[str, Any]:
        """The values under the key, with the reason for which they stand apart; None for other methods."""
        if self._quantizer is None:
            return {"soft_decode": None}
        values = {name: value for metric in self._metrics for name, value in metric.numbers().items()}
        return {"soft_decode": {"why_apart": WHY_APART, **values}}


def _meant_for_soft(quantizer: Quantizer) -> SoftQuantizer | None:
    return quantizer if isinstance(quantizer, SoftQuantizer) and quantizer.decodes_softly else None
