"""A convolution of pictures of twice the resolution, computed at the resolution they had before."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lgq_explore.quantizers.drawn_layers import conv2d


class UpsampledConvolution(nn.Module):
    """[B, C, H, W] → [B, C', 2H, 2W]: each pixel becomes four, and a convolution of 3 × 3 pixels follows.

    Of the nine pixels under the kernel, at most four differ, whose weights can be added beforehand. So it is a
    transposed convolution with stride 2 and a kernel of 4 × 4 pixels, of which four meet each output: four
    multiplications where there were nine, and no enlarged picture in memory. Values are the same but for rounding.

    Weights are those of the convolution, [C', C, 3, 3] and [C'], drawn from `generator`.
    """

    def __init__(self, inputs: int, outputs: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        drawn = conv2d(inputs, outputs, 3, generator)
        self.weight, self.bias = drawn.weight, drawn.bias

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv_transpose2d(x, upsampled_kernel(self.weight), self.bias, stride=2, padding=1)


def upsampled_kernel(kernel: Tensor) -> Tensor:
    """The kernel [C', C, 3, 3] of a convolution after upsampling → the one [C, C', 4, 4] that has both in it.

    A transposed convolution spreads an input pixel over outputs, in which the kernel is mirrored. Enlarged, the pixel
    stands at two places of each axis, where the mirrored kernels add up: (w₂, w₂ + w₁, w₁ + w₀, w₀).
    """
    mirrored = kernel.flip(2, 3).transpose(0, 1)
    in_rows = functional.pad(mirrored, (0, 0, 0, 1)) + functional.pad(mirrored, (0, 0, 1, 0))
    return functional.pad(in_rows, (0, 1)) + functional.pad(in_rows, (1, 0))
