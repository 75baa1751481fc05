"""The mean absolute error of the reconstruction."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from .base import Objective, TrainingPass


class L1(Objective):
    """Mean over pixels and channels of |reconstruction − image|, both in [-1, 1], in float32.

    So the history's `loss_l1` is twice the `l1` that `evaluate` gives, of values in [0, 1], for the same pictures;
    more where the decoder leaves the range, since `evaluate` looks at what can be shown.
    """

    of_reconstruction = True

    def loss(self, training_pass: TrainingPass) -> Tensor:
        return functional.l1_loss(training_pass.output.reconstruction.float(), training_pass.images)
