"""Settings of picture metrics: facts about the pictures, and the networks that they use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from .feature_networks import efficientnet_lite0_features

AT_HAND = "auto"
"""The usual features, inception, if their weights are available; else those whose weights come with a package."""

LPIPS_NET = "alex"


@dataclass(frozen=True)
class ComparedImages:
    """Which images are compared, in words that stand beside a distance.

    reference: the set of images that reconstructions are compared with. crop: what part of a picture an image is.
    """

    reference: str
    crop: str


@dataclass(frozen=True)
class PictureMetricSettings:
    """fd_features: of `FrechetDistance`. device: of feature networks; everything else stays on the images' device.

    compared: the images, in words, for metrics that can't be compared between sets. network: gives the network of
    EfficientNet-Lite0's features, the same one where metrics share it; raises UnavailableError where it can't.
    """

    fd_features: str = AT_HAND
    device: str = "cpu"
    compared: ComparedImages | None = None
    network: Callable[[], nn.Module] = efficientnet_lite0_features
