"""The differentiable mean of a tensor over all processes that train together."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed


def world_size() -> int:
    """The number of processes that train together; 1 if torch.distributed is not initialised."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def process_number() -> int:
    """The number of this process among those that train together, counted from 0."""
    return distributed.get_rank() if world_size() > 1 else 0


def mean_over_processes(tensor: Tensor) -> Tensor:
    """The mean of a tensor over all processes, which hold it in one shape; with one process, the tensor itself.

    Each process differentiates its own loss, and DistributedDataParallel averages their gradients. The gradient of the
    mean is therefore the mean of the gradients: a loss of the mean counts once, as in one process with the whole batch.
    """
    return tensor if world_size() == 1 else _MeanOverProcesses.apply(tensor)


class _MeanOverProcesses(torch.autograd.Function):
    # Instead of torch.distributed.nn.functional.all_reduce, which is deprecated.

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        total = tensor.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total / world_size()

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Tensor:
        return mean_over_processes(upstream)
