"""What a measure of an evaluation is given, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lgq_explore.images.ranges import to_uint8
from lgq_explore.metrics.definition import Definition
from lgq_explore.metrics.picture_settings import PictureMetricSettings
from lgq_explore.models import Tokenizer, TokenizerOutput


@dataclass(frozen=True, eq=False)
class MeasuredBatch:
    """pictures, reconstructions: uint8 [B, 3, S, S], on the CPU. output: the tokenizer's. photographs: int64 [B]."""

    pictures: Tensor
    output: TokenizerOutput
    reconstructions: Tensor
    photographs: NDArray[np.int64]

    @cached_property
    def unit_pictures(self) -> Tensor:
        """The pictures in [0, 1]."""
        return to_unit(self.pictures)

    @cached_property
    def unit_reconstructions(self) -> Tensor:
        """The reconstructions in [0, 1]."""
        return to_unit(self.reconstructions)

    @property
    def codes(self) -> Tensor:
        """[B, G, H, W] int64, on the tokenizer's device."""
        return self.output.coded.codes


@dataclass(frozen=True, eq=False)
class MeasureSettings:
    """tokenizer: in eval mode, on the device where it is measured. downsampling: pixels along the side of a token.

    left_out: names of metrics of pictures that are not computed, though their keys are there.
    """

    tokenizer: Tokenizer
    pictures: PictureMetricSettings
    downsampling: int
    left_out: tuple[str, ...] = ()


class Measure(Protocol):
    """What is accumulated over the batches of an evaluation."""

    def update(self, batch: MeasuredBatch) -> None:
        """Add a batch."""
        ...

    def numbers(self) -> dict[str, Any]:
        """The values over all batches so far, as JSON values under the keys of `evaluate`."""
        ...


class TokenizerMeasure(Measure, Protocol):
    """A listed measure that needs the tokenizer: it says what it is, and is made of settings."""

    definition: ClassVar[Definition]
    of_codes: ClassVar[bool]
    """Whether it is undefined for a method without codes."""

    def __init__(self, settings: MeasureSettings) -> None:
        """A new instance, of no batch."""


def to_unit(pictures: Tensor) -> Tensor:
    """uint8 → float32 in [0, 1]."""
    return pictures.float() / 255


def decoded(tokenizer: Tokenizer, vectors: Tensor) -> Tensor:
    """Vectors [B, D, H, W] as the quantizer gives them → pictures in [0, 1] of 8 bits, on the CPU."""
    return to_unit(to_uint8(tokenizer.decode(vectors)).cpu())


def flat_tokens(points: Tensor) -> Tensor:
    """[B, P, H, W] → [N, P]."""
    return torch.movedim(points, 1, -1).flatten(0, 2)
