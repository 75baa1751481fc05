"""The mean absolute error of the reconstruction."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from .base import Objective, TrainingPass


class L1(Objective):
    """Mean over pixels and channels of |reconstruction − image|, both in [-1, 1], in float32."""

    def loss(self, made: TrainingPass) -> Tensor:
        return functional.l1_loss(made.output.reconstruction.float(), made.images)
