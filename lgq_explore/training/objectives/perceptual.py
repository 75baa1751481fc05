"""The distance of reconstruction and image in the features of a trained network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from lgq_explore.errors import InputError
from lgq_explore.metrics.feature_networks import (
    EFFICIENTNET_LITE0,
    EFFICIENTNET_SMALLEST_IMAGE,
    LPIPS_SMALLEST_IMAGE,
    EfficientNetLite0Distance,
    if_available,
    lpips_network,
    lpips_weights,
    require_efficientnet_lite0,
)
from lgq_explore.runs.config import TrainConfig

from .base import Objective, ObjectiveSettings, TrainingPass

if TYPE_CHECKING:
    from lightning_fabric import Fabric

SMALLEST_IMAGE = {**LPIPS_SMALLEST_IMAGE, EFFICIENTNET_LITE0: EFFICIENTNET_SMALLEST_IMAGE}
"""The features, each with the smallest image side in pixels that has them."""


@dataclass(frozen=True)
class PerceptualSettings(ObjectiveSettings):
    """features: of LPIPS with the net alex, vgg or squeeze; or efficientnet-lite0, which is no LPIPS."""

    features: str = "vgg"  # as VQGAN takes it

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.features not in SMALLEST_IMAGE:
            raise ValueError(f"features is {self.features!r}: choose one of {', '.join(SMALLEST_IMAGE)}")


class Perceptual(Objective):
    """Mean over images of a distance in features, in float32; the network is frozen, and not saved with the run.

    features `alex`, `vgg`, `squeeze`: LPIPS (Zhang et al., CVPR 2018), by torchmetrics, with ImageNet weights of the
    torch hub cache. `efficientnet-lite0`: `EfficientNetLite0Distance`, whose weights come with the extra fd. Values in
    different features cannot be compared.
    """

    Settings = PerceptualSettings
    of_reconstruction = True

    def __init__(self, name: str, weight: float, settings: PerceptualSettings, recipe: TrainConfig) -> None:
        super().__init__(name, weight, settings, recipe)
        network, why = if_available(lambda: _network(settings.features))
        if network is None:
            raise _unavailable(name, settings.features, why)
        self._network = network

    @classmethod
    def require(cls, name: str, settings: PerceptualSettings, recipe: TrainConfig) -> None:  # type: ignore[override]
        smallest = SMALLEST_IMAGE[settings.features]
        if recipe.image_size < smallest:
            raise InputError(
                f"image_size is {recipe.image_size}, and objectives.{name}.features {settings.features!r} needs "
                f"{smallest}: take larger crops, or other features"
            )
        is_lpips = settings.features in LPIPS_SMALLEST_IMAGE
        _, why = if_available(lambda: lpips_weights(settings.features) if is_lpips else require_efficientnet_lite0())
        if why is not None:
            raise _unavailable(name, settings.features, why)

    def set_up(self, fabric: Fabric) -> None:
        self._network.to(fabric.device)

    def loss(self, training_pass: TrainingPass) -> Tensor:
        reconstruction, images = training_pass.output.reconstruction, training_pass.images
        with torch.autocast(images.device.type, enabled=False):
            distances: Tensor = self._network(reconstruction.float(), images.float())
        return distances.mean()


def _network(features: str) -> nn.Module:
    return EfficientNetLite0Distance() if features == EFFICIENTNET_LITE0 else lpips_network(features)


def _unavailable(name: str, features: str, why: str | None) -> InputError:
    remedy = "" if features == EFFICIENTNET_LITE0 else f", or take the features {EFFICIENTNET_LITE0}"
    return InputError(f"objectives.{name}.features is {features!r}: {why}{remedy}")
