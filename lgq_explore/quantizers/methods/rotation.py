"""The rotation trick: VQ whose gradient is rotated and rescaled as the token is to become its code.

Fifty et al. 2024, arXiv 2410.06424. A token z takes its nearest code c, as in VQ. The rotation R that turns z into the
direction of c, in the plane of both, and the ratio of their lengths are treated as constants in the backward pass:

    c = (|c|/|z|) R z      dq/dz = (|c|/|z|) R
    R = I − 2 w wᵀ + 2 ĉ ẑᵀ      ẑ = z/|z|      ĉ = c/|c|      w = (ẑ + ĉ)/|ẑ + ĉ|

so that the angle between the decoder's gradient and c becomes that between the encoder's gradient and z. The gradient
goes straight through where z or c is so short that it has no direction.

The defaults are those of the paper's VQ-VAEs, as the authors' code has them (src/models/vq_vae.py in
github.com/cfifty/rotation_trick at 9910492): moving averages with a decay of 0.8, no restarts, and a commitment weight
of 1. Their codes start at random; here they start as those of `vq`. With the settings of `vq` (decay 0.99,
restart_below 0.05, commitment 0.25) only the gradient differs from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from ..base import straight_through
from .vq import MovingAverageVQ, VQConfig

SHORTEST = 1e-6
"""The least length of a token and of a code between which there is a rotation."""


@dataclass(frozen=True)
class RotationConfig(VQConfig):
    """VQ with the rotation trick: the gradient is rotated and rescaled from the code to the token."""

    method: ClassVar[str] = "rotation"
    default_loss_weights: ClassVar[dict[str, float]] = {"commitment": 1.0}

    decay: float = 0.8  # of the moving averages, per step
    restart_below: float = 0.0  # share of the mean count under which a code restarts at a random token; 0: never

    def build(self, dim: int, generator: torch.Generator | None = None) -> RotationVQ:
        return RotationVQ(dim, self, generator)


class RotationVQ(MovingAverageVQ):
    """Nearest of K codes, each a moving average, with the rotated gradient."""

    def _with_gradient(self, vectors: Tensor, tokens: Tensor) -> Tensor:
        return straight_through(vectors, gradient_of=rotated(tokens, onto=vectors))


def rotated(tokens: Tensor, onto: Tensor) -> Tensor:
    """Tokens [N, D], each rotated and rescaled to become the vector `onto` [N, D]; the rotation has no gradient."""
    with torch.no_grad():
        token_length, length = tokens.norm(dim=1, keepdim=True), onto.norm(dim=1, keepdim=True)
        has_direction = (token_length > SHORTEST) & (length > SHORTEST)
        token_direction, direction = functional.normalize(tokens, dim=1), functional.normalize(onto, dim=1)
        # 0 where both are opposite: the formula then reflects the token at the origin.
        halfway = functional.normalize(token_direction + direction, dim=1)
        scale = torch.where(has_direction, length / token_length, 1.0)

    def along(axis: Tensor) -> Tensor:
        return (tokens * axis).sum(1, keepdim=True)

    turned = tokens - 2 * along(halfway) * halfway + 2 * along(token_direction) * direction
    return scale * torch.where(has_direction, turned, tokens)
