"""What quantization costs in the pictures: their PSNR without it, less their PSNR with it."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from lgq_explore.metrics.definition import Definition
from lgq_explore.metrics.image import psnr_db
from lgq_explore.metrics.mean import Mean

from .base import MeasuredBatch, MeasureSettings, decoded


class QuantizationCost:
    """PSNR of pictures decoded from the latents themselves, less that of the reconstructions."""

    definition: ClassVar[Definition] = Definition(
        summary="PSNR lost to quantization: that of pictures decoded from latents, minus that of reconstructions",
        keys=("quantization_cost_db", "psnr_unquantized_db"),
        formula="`quantization_cost_db` = PSNR(x, f(z)) − PSNR(x, f(z_q)), f the decoder with the method's output "
        "projection; `psnr_unquantized_db` = PSNR(x, f(z)). PSNR as under `quality`.",
        unit="dB",
        bias="The decoder was trained on z_q: f(z) may be worse than what an autoencoder reaches, and the cost below "
        "0.",
        cost="One more decoding of each image.",
        source="As in `quality`.",
        on_request=True,
    )
    of_codes: ClassVar[bool] = True

    def __init__(self, settings: MeasureSettings) -> None:
        self._tokenizer = settings.tokenizer
        self._unquantized, self._quantized = Mean(), Mean()

    def update(self, batch: MeasuredBatch) -> None:
        """Decode the batch's latents."""
        quantizer = self._tokenizer.quantizer
        vectors = quantizer.decoder_input(quantizer.continuous(batch.output.latents))
        self._unquantized.update(psnr_db(batch.unit_pictures, decoded(self._tokenizer, vectors)))
        self._quantized.update(psnr_db(batch.unit_pictures, batch.unit_reconstructions))

    def merge(self, other: Self) -> None:
        """Add the images of another instance."""
        self._unquantized.merge(other._unquantized)
        self._quantized.merge(other._quantized)

    def numbers(self) -> dict[str, Any]:
        """The keys of the definition."""
        unquantized = self._unquantized.compute()
        return {
            "quantization_cost_db": unquantized - self._quantized.compute(),
            "psnr_unquantized_db": unquantized,
        }
