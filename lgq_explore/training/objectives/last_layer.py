"""Gradients of terms at the decoder's last layer: how terms are balanced, and what share each has."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

LARGEST_WEIGHT = 1e4
SMALLEST_NORM = 1e-4
"""Added to the norm that is divided by; a gradient of that size is none."""


def last_layer_of(decoder: nn.Module) -> nn.Parameter:
    """The kernel or matrix of the decoder's last layer, [3, C, …], outside of what the decoder may be wrapped in."""
    return [weight for weight in decoder.parameters() if weight.ndim > 1][-1]


def adaptive_weight(reconstruction_loss: Tensor, adversarial_loss: Tensor, last_layer: Tensor) -> Tensor:
    """λ = |∇ reconstruction_loss| / (|∇ adversarial_loss| + 1e-4), at most 1e4; a scalar without a gradient.

    ∇: the gradient at the decoder's last layer (Esser et al. 2021, arXiv 2012.09841, eq. 7; the bounds are those of
    their code). With it as a factor, the adversarial term moves that layer as much as the reconstruction does.
    """
    towards, against = (_gradient(loss, last_layer).norm() for loss in (reconstruction_loss, adversarial_loss))
    return (towards / (against + SMALLEST_NORM)).clamp(max=LARGEST_WEIGHT).detach()


def gradient_shares(weighted_losses: Mapping[str, Tensor], last_layer: Tensor) -> dict[str, Tensor]:
    """|∇ loss| / Σ |∇ loss| of each weighted term, at the decoder's last layer; 0 to 1, NaN if all are 0."""
    norms = {name: _gradient(loss, last_layer).norm() for name, loss in weighted_losses.items()}
    total = torch.stack(list(norms.values())).sum()
    return {name: norm / total for name, norm in norms.items()}


def linearised(loss: Tensor, reconstruction: Tensor) -> Tensor:
    """A loss of the reconstruction alone, with the same value and gradient there, without the networks behind it.

    They are run backwards once, here. Gradients at the last layer and those of the sum of all terms would otherwise
    do it again each.
    """
    (slope,) = torch.autograd.grad(loss, reconstruction)
    return loss.detach() + (slope * (reconstruction - reconstruction.detach())).sum()


def _gradient(loss: Tensor, last_layer: Tensor) -> Tensor:
    (gradient,) = torch.autograd.grad(loss, last_layer, retain_graph=True)
    return gradient
