"""A count of training steps that is saved with the weights, and at hand without waiting for the device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class CountsSteps(nn.Module):
    """A module that counts its forward passes in training, so that a resumed run draws the same noise.

    A step of several micro-batches counts each of them.
    """

    updates: Tensor

    def start_counting(self) -> None:
        """Begin at 0; called once, when the module is built."""
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))
        self.finished_steps = 0

    def count_step(self) -> None:
        """One more step is finished."""
        self.finished_steps += 1
        self.updates.fill_(self.finished_steps)

    def _load_from_state_dict(self, *arguments: Any, **settings: Any) -> None:
        super()._load_from_state_dict(*arguments, **settings)
        self.finished_steps = int(self.updates)
