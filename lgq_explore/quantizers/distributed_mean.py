"""The mean of a tensor over all processes that train together, with its gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed


def world_size() -> int:
    """How many processes train together: 1 where torch.distributed is not started."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def mean_over_processes(tensor: Tensor) -> Tensor:
    """The mean over all processes of a tensor that has one shape in all of them; the tensor itself where there is one.

    Every process differentiates a loss of its own, and DistributedDataParallel takes the mean of their gradients. So
    the gradient of a mean is the mean of the gradients: a loss of the mean then counts once, as in one process with
    the whole batch.
    """
    return tensor if world_size() == 1 else _MeanOverProcesses.apply(tensor)


class _MeanOverProcesses(torch.autograd.Function):
    # torch.distributed.nn.functional.all_reduce would do, but torch gives it up.

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        total = tensor.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total / world_size()

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Tensor:
        return mean_over_processes(upstream)
