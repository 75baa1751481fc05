"""Metrics of reconstructions against their images, and the list of those that `evaluate` takes.

`PICTURE_METRICS` is the one list: results of `evaluate`, and so of every comparison, hold the numbers of each.
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
    """fd_features: as `FrechetDistance` takes them. device: of feature networks; the rest stays where images are."""

    fd_features: str = AT_HAND
    device: str = "cpu"


class PictureMetric(Protocol):
    """A metric over pairs of images and reconstructions, gathered batch by batch."""

    def update(self, images: Tensor, reconstructions: Tensor) -> None:
        """Add a batch: two float tensors [B, 3, H, W] in [0, 1]."""
        ...

    def numbers(self) -> dict[str, Any]:
        """The values over all pairs so far by the keys of `evaluate`, as JSON holds them."""
        ...


PICTURE_METRICS: dict[str, Callable[[PictureMetricSettings], PictureMetric]] = {
    "quality": lambda asked: ImageQuality(),
    "lpips": lambda asked: LPIPS(LPIPS_NET, asked.device),
    "fd": lambda asked: FrechetDistance(asked.fd_features, asked.device),
}


def picture_metrics(settings: PictureMetricSettings) -> list[PictureMetric]:
    """One of each, with nothing gathered yet. Raises InputError for settings that a metric can't take."""
    return [make(settings) for make in PICTURE_METRICS.values()]
