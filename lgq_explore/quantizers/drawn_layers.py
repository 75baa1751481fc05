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
from torch.nn.utils import skip_init

_Layer = TypeVar("_Layer", nn.Linear, nn.Conv2d)


def linear(inputs: int, outputs: int, generator: torch.Generator | None, *, bias: bool = True) -> nn.Linear:
    """A linear layer with weights drawn from `generator`; None is torch's global one."""
    return _drawn(skip_init(nn.Linear, inputs, outputs, bias=bias), generator)


def conv2d(inputs: int, outputs: int, size: int, generator: torch.Generator | None, *, stride: int = 1) -> nn.Conv2d:
    """A convolution of odd `size` with padding that keeps the resolution (divided by `stride`)."""
    layer = skip_init(nn.Conv2d, inputs, outputs, size, stride=stride, padding=size // 2)
    return _drawn(layer, generator)


def _drawn(layer: _Layer, generator: torch.Generator | None) -> _Layer:
    bound = 1 / math.sqrt(layer.weight[0].numel())
    nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5), generator=generator)
    if layer.bias is not None:
        nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
    return layer
