"""Half the logarithm of the mean squared error of the reconstruction."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from lgq_explore.quantizers.distributed_mean import mean_over_processes

from .base import Objective, TrainingPass


class LogMSE(Objective):
    """½ log of the mean over images, pixels and channels of (reconstruction − image)², in float32.

    Up to a constant this is the negative log-likelihood, in nats a value, of a Gaussian decoder whose variance is the
    batch's mean squared error (Rybkin et al. 2021, arXiv 2006.13202; Takida et al. 2022, arXiv 2205.07547). A smaller
    error makes it steeper: its gradient is that of `l2` over twice the error. The mean is that of all processes, and
    of a micro-batch where a step accumulates several.
    """

    of_reconstruction = True

    def loss(self, training_pass: TrainingPass) -> Tensor:
        reconstruction, images = training_pass.output.reconstruction.float(), training_pass.images
        error = mean_over_processes(functional.mse_loss(reconstruction, images))
        return error.clamp(min=torch.finfo(error.dtype).tiny).log() / 2
