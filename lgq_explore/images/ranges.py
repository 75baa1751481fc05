"""Values of pictures: 8 bits, the range of models, and the range of metrics."""

from __future__ import annotations

import torch
from torch import Tensor


def to_model_range(images: Tensor) -> Tensor:
    """uint8 images → float32 in [−1, 1], the range that tokenizers take and give."""
    return images.float() / 127.5 - 1


def to_unit_range(images: Tensor) -> Tensor:
    """Images of the model's range [−1, 1] → [0, 1], for metrics; what lies outside is clamped."""
    return ((images + 1) / 2).clamp(0, 1)


def to_uint8(images: Tensor) -> Tensor:
    """Images of the model's range [−1, 1] → uint8, rounded and clamped: undoes `to_model_range`."""
    return (to_unit_range(images.float()) * 255).round().to(torch.uint8)
