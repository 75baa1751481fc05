"""What does training minimise? Named losses, weighted by the recipe."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from torch.nn import functional

from lgq_explore.models import TokenizerOutput


def named_losses(output: TokenizerOutput, images: Tensor) -> dict[str, Tensor]:
    """Unweighted scalars by name: `l1`, mean over pixels of images [B, 3, S, S] in [-1, 1], and the quantizer's own."""
    return {"l1": functional.l1_loss(output.reconstruction.float(), images), **output.coded.losses}


def weighted_sum(losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Σ weight·loss. Raises KeyError where a loss has no weight, or a weight no loss: neither is dropped silently."""
    if losses.keys() != weights.keys():
        raise KeyError(f"losses {sorted(losses)} and weights {sorted(weights)} must have the same names")
    return sum(
        (weights[name] * loss for name, loss in losses.items()),
        start=next(iter(losses.values())).new_zeros(()),
    )
