"""The quality of pictures that are decoded from expected code vectors, for methods that are meant to be used so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from lgq_explore.images.ranges import to_uint8
from lgq_explore.metrics.pictures import PictureMetric
from lgq_explore.models import Tokenizer
from lgq_explore.quantizers import Quantizer, SoftQuantizer

WHY_APART = "decoded from weighted sums of code vectors, which codes do not determine: their bits say nothing of it"


class SoftDecode:
    """Metrics of a tokenizer's pictures, decoded from `soft` at its temperature; of other methods, nothing is measured.

    make_metrics: new metrics, called only if something is.
    """

    def __init__(self, tokenizer: Tokenizer, make_metrics: Callable[[], Sequence[PictureMetric]]) -> None:
        self.tokenizer = tokenizer
        self.quantizer = _meant_for_soft(tokenizer.quantizer)
        self.metrics = make_metrics() if self.quantizer is not None else ()

    def update(self, images: Tensor, latents: Tensor) -> None:
        """Add a batch: images float [B, 3, S, S] in [0, 1], and their latents [B, D, H, W]."""
        if self.quantizer is None:
            return
        decoded = self.tokenizer.decode(self.quantizer.soft(latents, self.quantizer.temperature))
        reconstructions = to_uint8(decoded).cpu().float() / 255
        for metric in self.metrics:
            metric.update(images, reconstructions)

    def numbers(self) -> dict[str, Any]:
        """The values under the key `soft_decode`, with the reason for which they stand apart; {} for other methods."""
        if self.quantizer is None:
            return {}
        values = {name: value for metric in self.metrics for name, value in metric.numbers().items()}
        return {"soft_decode": {"why_apart": WHY_APART, **values}}


def _meant_for_soft(quantizer: Quantizer) -> SoftQuantizer | None:
    return quantizer if isinstance(quantizer, SoftQuantizer) and quantizer.decodes_softly else None
