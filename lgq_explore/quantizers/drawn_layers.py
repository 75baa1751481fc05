"""Layers whose initial weights are drawn from a given generator.

Layers of torch draw from torch's global generator, which anything else in the process may advance. These layers are
initialised as torch's own (uniform in ± 1/√fan_in, first the weight, then the bias), and equal seeds give
equal weights.
"""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from torch import nn

_Layer = TypeVar("_Layer", nn.Linear, nn.Conv2d)


# torch.nn.utils.skip_init would do the same through meta tensors, whose first use imports sympy for a second.
class _Linear(nn.Linear):
    def reset_parameters(self) -> None:
        """Drawn afterwards."""


class _Conv2d(nn.Conv2d):
    def reset_parameters(self) -> None:
        """Drawn afterwards."""


def linear(inputs: int, outputs: int, generator: torch.Generator | None, *, bias: bool = True) -> nn.Linear:
    """A linear layer with weights drawn from `generator`; None is torch's global one."""
    return _drawn(_Linear(inputs, outputs, bias=bias), generator)


def conv2d(
    inputs: int,
    outputs: int,
    size: int,
    generator: torch.Generator | None,
    *,
    stride: int = 1,
    padding: int | None = None,
) -> nn.Conv2d:
    """A convolution; without `padding`, an odd `size` keeps the resolution (divided by `stride`)."""
    padding = size // 2 if padding is None else padding
    return _drawn(_Conv2d(inputs, outputs, size, stride=stride, padding=padding), generator)


def _drawn(layer: _Layer, generator: torch.Generator | None) -> _Layer:
    bound = 1 / math.sqrt(layer.weight[0].numel())
    nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5), generator=generator)
    if layer.bias is not None:
        nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
    return layer
