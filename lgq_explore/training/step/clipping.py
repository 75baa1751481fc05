"""Clipping of the tokenizer's gradient: of all parameters together, or of each part alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from lgq_explore.runs.config import TrainConfig

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def clip_gradients(fabric: Fabric, tokenizer: Any, optimizer: Any, config: TrainConfig) -> Tensor:
    """Scale gradients as the recipe says. Returns the norm of all of them before that, a scalar.

    tokenizer, optimizer: as `fabric.setup` returns them.
    """
    if config.gradient_clip_by_part:
        return clip_parts([tokenizer.encoder, tokenizer.quantizer, tokenizer.decoder], config.gradient_clip)
    norm = fabric.clip_gradients(tokenizer, optimizer, max_norm=config.gradient_clip, error_if_nonfinite=False)
    assert norm is not None  # Fabric has none for a clip by value only
    return norm


def clip_parts(parts: list[nn.Module], largest_norm: float) -> Tensor:
    """Scale the gradients of each part to a norm of at most `largest_norm`; returns the norm of all before that.

    So a large gradient of one part, such as that of a codebook at the start, does not shrink those of the others.
    """
    learned = [[weight for weight in part.parameters() if weight.grad is not None] for part in parts]
    return torch.stack([nn.utils.clip_grad_norm_(weights, largest_norm) for weights in learned if weights]).norm()
