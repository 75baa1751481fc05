"""The paired error of reconstructions in a trained network's features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from .definition import Definition
from .feature_networks import EFFICIENTNET_LITE0, efficientnet_lite0_features, if_available
from .image import check_image_pair
from .moments import Moments
from .perceptual import IMAGES_PER_PASS, to_8_bits
from .picture_settings import PictureMetricSettings


class FeatureError:
    """Squared difference of the features of images and reconstructions, over the variance of the images' features.

    network: gives the network, uint8 [B, 3, H, W] → [B, F]; by default EfficientNet-Lite0, where it is installed.
    device: of the network, by default that of the images.
    """

    definition: ClassVar[Definition] = Definition(
        summary="squared error of reconstructions in a network's features, over the variance of the images' features",
        keys=("feature_error",),
        formula="`feature_error.value` = mean |φ(x) − φ(x̂)|² / tr cov φ(x), φ the pooled features of "
        "EfficientNet-Lite0, pairs of 8-bit pictures.",
        unit="none: 0 loses nothing, 2 is another image of the set",
        bias="The mean of pairs has none, unlike `fd`; the variance is low by 1/I of itself for I images.",
        cost="Some 0.1 s an image on a CPU.",
        source="Tan & Le 2019 for the network; equal to the formula in NumPy.",
        on_request=True,
    )

    @classmethod
    def of(cls, settings: PictureMetricSettings) -> Self:
        return cls(settings.network, settings.device)

    def __init__(
        self, network: Callable[[], torch.nn.Module] = efficientnet_lite0_features, device: str | None = None
    ) -> None:
        self._device = device
        self._features, self._why = if_available(network)
        self._squares, self._moments = 0.0, Moments()

    @torch.no_grad()
    def update(self, images: Tensor, reconstructions: Tensor) -> None:
        """Add a batch: two float tensors [B, 3, H, W] in [0, 1]. Raises InputError as `ImageQuality.update`."""
        check_image_pair(images, reconstructions)
        if self._features is None:
            return
        images, reconstructions = images.to(self._device), reconstructions.to(self._device)
        self._features.to(images.device)
        for pair in zip(images.split(IMAGES_PER_PASS), reconstructions.split(IMAGES_PER_PASS), strict=True):
            found, wanted = (self._features(to_8_bits(part)).double() for part in pair)
            self._squares += (found - wanted).square().sum().item()
            self._moments.update(found)

    def merge(self, other: Self) -> None:
        """Add the pairs of another instance with the same features."""
        self._squares += other._squares
        self._moments.merge(other._moments)

    def numbers(self) -> dict[str, Any]:
        """The key of the definition: the value with its features, or why there is none."""
        why = self._why or (None if self._moments.number > 1 else "a variance needs at least 2 images")
        variance = 0.0 if why else self._moments.covariance.trace().item()
        if why is None and variance == 0:
            why = "the features of the images do not vary"
        value = None if why else self._squares / self._moments.number / variance
        return {"feature_error": {"value": value, "features": EFFICIENTNET_LITE0, "why": why}}
