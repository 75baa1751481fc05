"""How long a picture takes to encode and to decode."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from lgq_explore.images.ranges import to_model_range
from lgq_explore.metrics.definition import Definition

from .base import MeasuredBatch, MeasureSettings


class Times:
    """Seconds of encoding and of decoding, summed over batches.

    clock: gives seconds.
    """

    definition: ClassVar[Definition] = Definition(
        summary="time to encode a picture into codes, and to decode it",
        keys=(
            "seconds_encode_image",
            "seconds_decode_image",
            "images_per_second_encode",
            "images_per_second_decode",
        ),
        formula="`seconds_encode_image`: seconds from pictures on the device to codes there (encoder and quantizer), "
        "over images; `seconds_decode_image`: from codes to pictures (look-up and decoder; for a method without codes, "
        "from latents). `images_per_second_encode` and `images_per_second_decode` are their inverses. Batches of 64; "
        "each is done once before it is timed; a GPU is waited for.",
        unit="seconds per image; images per second",
        bias="Wall-clock time: other work on the machine lengthens it. Compare on one idle machine only.",
        cost="Two more encodings and decodings of each image.",
        source="time.perf_counter.",
        on_request=True,
    )
    of_codes: ClassVar[bool] = False

    def __init__(self, settings: MeasureSettings, clock: Callable[[], float] = time.perf_counter) -> None:
        self._tokenizer, self._clock = settings.tokenizer, clock
        self._images, self._encode, self._decode = 0, 0.0, 0.0

    def update(self, batch: MeasuredBatch) -> None:
        """Encode and decode the batch twice, and time the second time."""
        device = batch.codes.device
        pictures, vectors = to_model_range(batch.pictures.to(device)), batch.output.coded.quantized
        quantizer = self._tokenizer.quantizer

        def encode() -> None:
            quantizer(self._tokenizer.encode(pictures))

        def decode() -> None:
            self._tokenizer.decode(quantizer.lookup(batch.codes) if quantizer.has_codes else vectors)

        self._images += len(batch.pictures)
        self._encode += self._timed(encode, pictures)
        self._decode += self._timed(decode, pictures)

    def _timed(self, work: Callable[[], None], on: Tensor) -> float:
        work()
        _wait(on)
        begun = self._clock()
        work()
        _wait(on)
        return self._clock() - begun

    def merge(self, other: Self) -> None:
        """Add the images of another instance."""
        self._images += other._images
        self._encode += other._encode
        self._decode += other._decode

    def numbers(self) -> dict[str, Any]:
        """The keys of the definition."""
        return {
            "seconds_encode_image": self._encode / self._images,
            "seconds_decode_image": self._decode / self._images,
            "images_per_second_encode": self._images / self._encode,
            "images_per_second_decode": self._images / self._decode,
        }


def _wait(on: Tensor) -> None:
    """Until the device of a tensor has done what it was given."""
    if on.is_cuda:
        torch.cuda.synchronize(on.device)
