"""The discriminator, which tells patches of images from patches of reconstructions."""

from __future__ import annotations

import torch
from torch import nn

from lgq_explore.quantizers.drawn_layers import conv2d

KERNEL = 4
SLOPE = 0.2
"""Of the leaky rectifier below 0."""
WIDEST = 8
"""The most feature maps, in units of those of the first layer."""


class PatchDiscriminator(nn.Sequential):
    """Pictures [B, 3, S, S] in about [-1, 1] → one logit a patch [B, 1, h, w], above 0 for what it takes as real.

    PatchGAN (Isola et al. 2017, arXiv 1611.07004), as VQGAN uses it (Esser et al. 2021, arXiv 2012.09841): `layers`
    convolutions of 4 × 4 pixels that halve the resolution, with `width` feature maps in the first and twice as many in
    each that follows, at most 8 · width; a further one at the lowest resolution; and one to a single logit. With three
    layers a logit sees 70 × 70 pixels.

    Nothing is normalised, where both papers take batch statistics. With those, the logit of a picture depends on the
    others of its batch: on whether images and reconstructions go through together, and on the size of micro-batches;
    and a penalty of gradients by picture (R1) would not be one. Initial weights are He's instead (He et al. 2015),
    which keep the scale of features from layer to layer; they are drawn from `generator`, and biases start at 0.
    """

    def __init__(self, layers: int, width: int, generator: torch.Generator | None = None) -> None:
        widths = [width * min(2**layer, WIDEST) for layer in range(layers + 1)]
        parts: list[nn.Module] = []
        for layer, (inputs, outputs) in enumerate(zip([3, *widths], widths, strict=False)):
            parts += [_convolution(inputs, outputs, generator, stride=2 if layer < layers else 1), nn.LeakyReLU(SLOPE)]
        super().__init__(*parts, _convolution(widths[-1], 1, generator, stride=1))


def smallest_image(layers: int) -> int:
    """The smallest side, in pixels, of a picture for which there is a logit."""
    side = 1
    for stride in [1, 1] + [2] * layers:
        side = (side - 1) * stride + KERNEL - 2
    return side


def _convolution(inputs: int, outputs: int, generator: torch.Generator | None, *, stride: int) -> nn.Conv2d:
    layer = conv2d(inputs, outputs, KERNEL, generator, stride=stride, padding=1)
    nn.init.kaiming_normal_(layer.weight, a=SLOPE, generator=generator)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer
