"""A number of finished steps that is saved with the weights, and at hand without waiting for a device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class StepCounter(nn.Module):
    """Counts steps. finished: their number, as an int; a loaded state has that of the state."""

    saved: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.finished = 0
        self.register_buffer("saved", torch.zeros((), dtype=torch.int64))

    def advance(self) -> int:
        """Count a step, and return the number of finished ones."""
        self.finished += 1
        self.saved.fill_(self.finished)
        return self.finished

    def _load_from_state_dict(self, *arguments: Any, **settings: Any) -> None:
        super()._load_from_state_dict(*arguments, **settings)
        self.finished = int(self.saved)
