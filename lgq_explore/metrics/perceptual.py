"""Distances of reconstructions and images in the features of a trained network.

Both metrics need a network's published weights. If these are not available (no internet, an extra not installed), the
value is None and `why` gives the reason in one line: never 0, never an exception, and never a long wait.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from torch import Tensor, nn

from lgq_explore.errors import InputError
from lgq_explore.metrics.image import check_image_pair

from .definition import Definition
from .feature_networks import (
    EFFICIENTNET_LITE0,
    EFFICIENTNET_PACKAGES,
    LPIPS_SMALLEST_IMAGE,
    efficientnet_lite0_features,
    if_available,
    lpips_network,
    require_package,
)
from .picture_settings import AT_HAND, LPIPS_NET, ComparedImages, PictureMetricSettings
from .published_weights import Undrawn, cached_weights, weights_file

if TYPE_CHECKING:
    from torchmetrics.image.fid import FrechetInceptionDistance


@dataclass(frozen=True)
class FeatureExtractor:
    """In words: the network that gives features for a Fréchet distance, and how pictures are resized for it."""

    network: str
    resize: str


FD_FEATURES = {
    "inception": FeatureExtractor(
        "InceptionV3 as in the first FID (Heusel et al. 2017), by torch-fidelity: 2048 pooled features",
        "to 299 × 299 pixels, bilinear, antialiased, by torchmetrics",
    ),
    EFFICIENTNET_LITE0: FeatureExtractor(
        "EfficientNet-Lite0, trained on ImageNet: 1280 pooled features",
        "to 224 × 224 pixels, bicubic, antialiased",
    ),
}
"""The features for a Fréchet distance; distances in different features cannot be compared."""

# Features are computed at 224 or 299 pixels for any image size, so a large batch of small images would not fit into
# memory.
IMAGES_PER_PASS = 32


@dataclass(frozen=True)
class LPIPSResult:
    """Mean LPIPS over `images` pairs with the named net, or None and the reason in `why`."""

    value: float | None
    net: str
    why: str | None
    images: int


@dataclass(frozen=True)
class FrechetDistanceResult:
    """Fréchet distance of `images` pairs in the named features, or None and the reason in `why`.

    With fewer images than features (1280, or 2048 for inception) the covariances lack rank and the value is
    biased upwards: compare at equal numbers of images only, and state the number.
    """

    value: float | None
    features: str
    why: str | None
    images: int


class LPIPS:
    """Learned perceptual distance (LPIPS) of reconstructions to images, averaged over pairs.

    Zhang et al., CVPR 2018; the network is torchmetrics'. Its backbone's ImageNet weights come from the torch hub
    cache or are downloaded into it ("alex" 233 MB, "vgg" 528 MB, "squeeze" 5 MB).

    device: of the network, by default that of the images.

    Raises:
        InputError: if the net is not one of `LPIPS_SMALLEST_IMAGE`.
    """

    definition: ClassVar[Definition] = Definition(
        summary="learned perceptual distance of reconstructions to images",
        keys=("lpips",),
        formula="`lpips.value` = mean over pairs of Σ_l mean_p |w_l ⊙ (u_lp(x) − u_lp(x̂))|², u the features of layer "
        "l at position p, of norm 1, w learned from people's judgements; `lpips.net` names the net.",
        unit="none",
        bias="None over images. Values of different nets can't be compared.",
        cost="Some 0.1 s an image on a CPU; the net's weights are downloaded once.",
        source="Zhang et al., CVPR 2018; computed with torchmetrics.",
    )

    @classmethod
    def of(cls, settings: PictureMetricSettings) -> Self:
        return cls(LPIPS_NET, settings.device)

    def __init__(self, net: str = LPIPS_NET, device: str | None = None) -> None:
        if net not in LPIPS_SMALLEST_IMAGE:
            raise InputError(f"LPIPS has no net {net!r}: choose one of {', '.join(LPIPS_SMALLEST_IMAGE)}")
        self.net, self.device = net, device
        self._images, self._sum = 0, 0.0
        self._network, self._why = if_available(lambda: lpips_network(net))

    @torch.no_grad()
    def update(self, images: Tensor, reconstructions: Tensor) -> None:
        """Add a batch: two float tensors [B, 3, H, W] in [0, 1]. Costs nothing if there is no value.

        Raises:
            InputError: as `ImageQuality.update`.
        """
        check_image_pair(images, reconstructions)
        self._images += len(images)
        side, smallest = min(images.shape[-2:]), LPIPS_SMALLEST_IMAGE[self.net]
        if self._why is None and side < smallest:
            self._why = f"images of {side} pixels are smaller than the {smallest} pixels that net {self.net!r} needs"
        if self._network is None or self._why is not None or len(images) == 0:
            return
        images, reconstructions = images.to(self.device), reconstructions.to(self.device)
        self._network.to(images.device)
        with torch.autocast(images.device.type, enabled=False):
            distances = self._network(reconstructions.float(), images.float(), normalize=True)
        self._sum += distances.double().sum().item()

    def merge(self, other: Self) -> None:
        """Add the pairs of another instance with the same net."""
        self._images += other._images
        self._sum += other._sum
        self._why = self._why or other._why

    def compute(self) -> LPIPSResult:
        """The mean over all pairs so far."""
        why = self._why or (None if self._images else "no images were compared")
        if why is None:
            why = _not_finite(self._sum / self._images)
        value = self._sum / self._images if why is None else None
        return LPIPSResult(value=value, net=self.net, why=why, images=self._images)

    def numbers(self) -> dict[str, Any]:
        """`lpips`: the mean with its net, or why there is none."""
        result = self.compute()
        return {"lpips": {"value": result.value, "net": result.net, "why": result.why}}


class FrechetDistance:
    """Fréchet distance between the features of images and of their reconstructions.

        FD = |μ − μ̂|² + tr(Σ + Σ̂ − 2 (Σ Σ̂)^½)      μ, Σ: mean and covariance of features φ(x); μ̂, Σ̂: of φ(x̂)

    Heusel et al., NeurIPS 2017; computed by torchmetrics. Both sides are rounded to 8 bits first, as pictures
    saved to files are. Features:

        inception            2048 of InceptionV3, the usual rFID; extra fid, and 91 MB to download
        efficientnet-lite0   1280, see `EfficientNetLite0Features`; extra fd, which brings the weights: works offline
        auto                 inception where its weights are in the torch hub cache, else efficientnet-lite0 where it is
                             installed, else inception; `features` says which

    device: of the network, by default that of the images. FD differs in its third digit between devices.
    compared: stands beside the distance in `numbers`, with resize and network. network: gives EfficientNet-Lite0's.

    Raises:
        InputError: if the features are none of these.
    """

    definition: ClassVar[Definition] = Definition(
        summary="Fréchet distance of images and reconstructions in a network's features",
        keys=("fd",),
        formula="`fd.value` = |μ − μ̂|² + tr(Σ + Σ̂ − 2 (Σ Σ̂)^½), means and covariances of features of the images and "
        "of their reconstructions. Network, resize, crop and reference set are given with it.",
        unit="squared feature",
        bias="High with fewer images than features (1,280 or 2,048): compare at one number of images.",
        cost="Some 0.1 s an image on a CPU, and seconds for the eigenvalues.",
        source="Heusel et al., NeurIPS 2017; computed with torchmetrics.",
    )

    @classmethod
    def of(cls, settings: PictureMetricSettings) -> Self:
        return cls(settings.fd_features, settings.device, settings.compared, settings.network)

    def __init__(
        self,
        features: str = AT_HAND,
        device: str | None = None,
        compared: ComparedImages | None = None,
        network: Callable[[], nn.Module] = efficientnet_lite0_features,
    ) -> None:
        choices = (AT_HAND, *FD_FEATURES)
        if features not in choices:
            raise InputError(f"there are no features {features!r}: choose one of {', '.join(choices)}")
        self.features = _features_at_hand() if features == AT_HAND else features
        self._images, self.device, self.compared = 0, device, compared
        self._metric, self._why = if_available(
            _inception_metric if self.features == "inception" else lambda: _metric_in(network())
        )

    @torch.no_grad()
    def update(self, images: Tensor, reconstructions: Tensor) -> None:
        """Add a batch: two float tensors [B, 3, H, W] in [0, 1]. Costs nothing if there is no value.

        Raises:
            InputError: as `ImageQuality.update`.
        """
        check_image_pair(images, reconstructions)
        self._images += len(images)
        if self._metric is None or len(images) == 0:
            return
        images, reconstructions = images.to(self.device), reconstructions.to(self.device)
        self._metric.to(images.device)
        with torch.autocast(images.device.type, enabled=False):
            for part in to_8_bits(images).split(IMAGES_PER_PASS):
                self._metric.update(part, real=True)
            for part in to_8_bits(reconstructions).split(IMAGES_PER_PASS):
                self._metric.update(part, real=False)

    def merge(self, other: Self) -> None:
        """Add the pairs of another instance with the same features. Raises InputError for others."""
        if other.features != self.features:
            raise InputError(f"features {other.features!r} can't be added to {self.features!r}: give one network")
        self._images += other._images
        if self._metric is not None and other._metric is not None:
            self._metric.merge_state(other._metric)

    def compute(self) -> FrechetDistanceResult:
        """The distance over all pairs so far; the eigenvalues of Σ Σ̂ take seconds."""
        why = self._why
        if why is None and self._images < 2:
            why = f"a covariance needs at least 2 images, and {self._images} were compared"
        value = None
        if self._metric is not None and why is None:
            sums = (self._metric.real_features_cov_sum, self._metric.fake_features_cov_sum)
            # Computing eigenvalues of NaN can crash the process.
            distance = self._metric.compute().item() if all(part.isfinite().all() for part in sums) else math.nan
            why = _not_finite(distance)
            # For equal sets, rounding in the eigenvalues gives some 1e-5 below 0.
            value = max(0.0, distance) if why is None else None
        return FrechetDistanceResult(value=value, features=self.features, why=why, images=self._images)

    def numbers(self) -> dict[str, Any]:
        """`fd`: the distance or why there is none, with what it depends on: images, crop, resize, network."""
        result, extractor = self.compute(), FD_FEATURES[self.features]
        return {
            "fd": {
                "value": result.value,
                "features": result.features,
                "why": result.why,
                **({} if self.compared is None else asdict(self.compared)),
                "resize": extractor.resize,
                "extractor": extractor.network,
            }
        }


def _features_at_hand() -> str:
    if find_spec("torch_fidelity") is not None:
        from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

        if cached_weights(URL_INCEPTION_V3).exists():
            return "inception"
    return EFFICIENTNET_LITE0 if all(map(find_spec, EFFICIENTNET_PACKAGES)) else "inception"


def _inception_metric() -> FrechetInceptionDistance:
    require_package("torch_fidelity", "fid", ", or take the features efficientnet-lite0, which need no download")
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3
    from torchmetrics.image.fid import FrechetInceptionDistance

    path = weights_file(URL_INCEPTION_V3)
    with Undrawn():  # and torch.load takes nothing but weights by default
        return FrechetInceptionDistance(2048, feature_extractor_weights_path=str(path), sync_on_compute=False)


def _metric_in(network: nn.Module) -> FrechetInceptionDistance:
    from torchmetrics.image.fid import FrechetInceptionDistance

    return FrechetInceptionDistance(feature=network, sync_on_compute=False)


def _not_finite(distance: float) -> str | None:
    """The reason for no value if a distance is NaN or infinite, else None."""
    return None if math.isfinite(distance) else "features of these images contain NaN or infinity"


def to_8_bits(images: Tensor) -> Tensor:
    """Pictures in [0, 1] as uint8, rounded."""
    # torchmetrics' own conversion truncates instead of rounding.
    return (images.float() * 255).round().to(torch.uint8)
