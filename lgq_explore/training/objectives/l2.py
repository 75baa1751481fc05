"""The mean squared error of the reconstruction."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from .base import Objective, TrainingPass


class L2(Objective):
    """Mean over pixels and channels of (reconstruction − image)², both in [-1, 1], in float32.

    So it is four times the mean squared error of values in [0, 1], from which PSNR is computed, for the same pictures.
    """

    of_reconstruction = True

    def loss(self, training_pass: TrainingPass) -> Tensor:
        return functional.mse_loss(training_pass.output.reconstruction.float(), training_pass.images)
