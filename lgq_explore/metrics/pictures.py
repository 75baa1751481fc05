"""The metrics of reconstructions that `evaluate` computes.

`PICTURE_METRICS` lists them; the results of `evaluate`, and of every comparison, contain the numbers of each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from .image import ImageQuality
from .perceptual import AT_HAND, LPIPS, FrechetDistance

LPIPS_NET = "alex"


@dataclass(frozen=True)
class PictureMetricSettings:
    """fd_features: of `FrechetDistance`. device: of feature networks; everything else stays on the images' device."""

    fd_features: str = AT_HAND
    device: str = "cpu"


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
    "fd": lambda asked: FrechetDistance(asked.fd_features, asked.device),
}


def picture_metrics(settings: PictureMetricSettings) -> list[PictureMetric]:
    """A new instance of each metric. Raises InputError for settings that a metric does not accept."""
    return [make(settings) for make in PICTURE_METRICS.values()]
