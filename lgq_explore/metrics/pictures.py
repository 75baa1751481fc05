"""The metrics of reconstructions that `evaluate` computes.

`PICTURE_METRICS` lists them; the results of `evaluate`, and of every comparison, contain the numbers of each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from lgq_explore.errors import InputError

from .image import ImageQuality
from .perceptual import AT_HAND, LPIPS, ComparedImages, FrechetDistance

LPIPS_NET = "alex"


@dataclass(frozen=True)
class PictureMetricSettings:
    """fd_features: of `FrechetDistance`. device: of feature networks; everything else stays on the images' device.

    compared: the images, in words, for metrics that can't be compared between sets.
    """

    fd_features: str = AT_HAND
    device: str = "cpu"
    compared: ComparedImages | None = None


class PictureMetric(Protocol):
    """A metric over pairs of images and reconstructions, accumulated over batches."""

    def update(self, images: Tensor, reconstructions: Tensor) -> None:
        """Add a batch: two float tensors [B, 3, H, W] in [0, 1]."""
        ...

    def numbers(self) -> dict[str, Any]:
        """The values over all pairs so far, as JSON values under the keys of `evaluate`."""
        ...


PICTURE_METRICS: dict[str, Callable[[PictureMetricSettings], PictureMetric]] = {
    "quality": lambda asked: ImageQuality(),
    "lpips": lambda asked: LPIPS(LPIPS_NET, asked.device),
    "fd": lambda asked: FrechetDistance(asked.fd_features, asked.device, asked.compared),
}


SLOW_METRICS = ("lpips", "fd")
"""Those that run pictures through a trained network, which takes minutes on a CPU."""


def picture_metrics(settings: PictureMetricSettings, without: Sequence[str] = ()) -> list[PictureMetric]:
    """A new instance of each metric; those of SLOW_METRICS named in `without` have no value.

    Raises InputError for settings that a metric does not accept, and for another name in `without`.
    """
    for name in without:
        if name not in SLOW_METRICS:
            raise InputError(f"without {name!r}: only {' and '.join(SLOW_METRICS)} can be left out")
    return [LeftOut(name, settings) if name in without else make(settings) for name, make in PICTURE_METRICS.items()]


@dataclass(frozen=True)
class LeftOut(PictureMetric):
    """In the place of a slow metric that was not asked for."""

    name: str
    settings: PictureMetricSettings

    def update(self, images: Tensor, reconstructions: Tensor) -> None:
        """Nothing is measured."""

    def numbers(self) -> dict[str, Any]:
        network = {"net": LPIPS_NET} if self.name == "lpips" else {"features": self.settings.fd_features}
        return {self.name: {"value": None, **network, "why": "it was left out"}}
