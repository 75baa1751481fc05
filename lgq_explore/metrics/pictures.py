"""The metrics of reconstructions that `evaluate` computes.

`PICTURE_METRICS` lists them. The results of `evaluate`, and of every comparison, contain the numbers of each, except of
those whose definition says that they are computed on request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

from torch import Tensor

from lgq_explore.errors import InputError

from .colour import ColourError
from .definition import Definition
from .feature_error import FeatureError
from .image import ImageQuality
from .perceptual import LPIPS, FrechetDistance
from .picture_settings import LPIPS_NET, PictureMetricSettings
from .spectrum import ErrorSpectrum


class PictureMetric(Protocol):
    """A metric over pairs of images and reconstructions, accumulated over batches."""

    def update(self, images: Tensor, reconstructions: Tensor) -> None:
        """Add a batch: two float tensors [B, 3, H, W] in [0, 1]."""
        ...

    def merge(self, other: Self) -> None:
        """Add the pairs of another instance."""
        ...

    def numbers(self) -> dict[str, Any]:
        """The values over all pairs so far, as JSON values under the keys of `evaluate`."""
        ...


class DefinedPictureMetric(PictureMetric, Protocol):
    """A metric that is listed: it says what it is, and is made of settings."""

    definition: ClassVar[Definition]

    @classmethod
    def of(cls, settings: PictureMetricSettings) -> PictureMetric:
        """A new instance, of no pairs. Raises InputError for settings that it does not accept."""
        ...


PICTURE_METRICS: dict[str, type[DefinedPictureMetric]] = {
    "quality": ImageQuality,
    "colour": ColourError,
    "lpips": LPIPS,
    "fd": FrechetDistance,
    "spectrum": ErrorSpectrum,
    "feature_error": FeatureError,
}

SLOW_METRICS = ("lpips", "fd")
"""Those that run pictures through a trained network, which takes minutes on a CPU."""


def require_slow(names: Sequence[str]) -> None:
    """Raise InputError for a name that is none of SLOW_METRICS."""
    for name in names:
        if name not in SLOW_METRICS:
            raise InputError(f"without {name!r}: only {' and '.join(SLOW_METRICS)} can be left out")


def picture_metric(name: str, settings: PictureMetricSettings, left_out: bool = False) -> PictureMetric:
    """A new instance of one of PICTURE_METRICS; one of SLOW_METRICS that is left out has no value.

    Raises InputError for settings that the metric does not accept.
    """
    return LeftOut(name, settings) if left_out else PICTURE_METRICS[name].of(settings)


@dataclass(frozen=True)
class LeftOut:
    """In the place of a slow metric that was not asked for."""

    name: str
    settings: PictureMetricSettings

    def update(self, images: Tensor, reconstructions: Tensor) -> None:
        """Nothing is measured."""

    def merge(self, other: Self) -> None:
        """There is nothing to add."""

    def numbers(self) -> dict[str, Any]:
        network = {"net": LPIPS_NET} if self.name == "lpips" else {"features": self.settings.fd_features}
        return {self.name: {"value": None, **network, "why": "it was left out"}}
