"""What a part of `make gpu` is told, and whom it tells its results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Job:
    """A part's task: the device, the seconds it may take, and whether toy size on a CPU will do.

    data: SPEC of the photographs to train on. steps: of a training run in the comparison; None is its own number.
    keep: writes the result so far, so that a part that is cut off has lost nothing.
    """

    device: torch.device
    seconds: float
    toy: bool
    data: str
    steps: int | None
    keep: Callable[[Mapping[str, Any]], None]
