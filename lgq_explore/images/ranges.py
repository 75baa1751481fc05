"""Conversions between the value ranges of pictures: 8 bits, that of models, and that of metrics."""

from __future__ import annotations

import torch
from torch import Tensor


def to_model_range(images: Tensor) -> Tensor:
    """uint8 images → float32 in [−1, 1], the range of tokenizers."""
    return images.float() / 127.5 - 1


def to_unit_range(images: Tensor) -> Tensor:
    """Images in the models' range [−1, 1] → [0, 1], for metrics; values outside are clamped."""
    return ((images + 1) / 2).clamp(0, 1)


def to_uint8(images: Tensor) -> Tensor:
    """Images in the models' range [−1, 1] → uint8, rounded and clamped: the inverse of `to_model_range`."""
    return (to_unit_range(images.float()) * 255).round().to(torch.uint8)
