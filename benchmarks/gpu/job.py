"""The task of a part of `make gpu`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch


@dataclass(frozen=True)
class Job:
    """The task of a part: the device, the seconds that it may take, and whether to run at toy size on a CPU.

    data: SPEC of the photographs to train on. steps: of a training run in the comparison; None for its default.
    earlier: a result of the comparison whose runs are not made again. keep: called with intermediate results, so that
    nothing is lost if the part is ended early.
    """

    device: torch.device
    seconds: float
    toy: bool
    data: str
    steps: int | None
    earlier: Path | None
    keep: Callable[[Mapping[str, Any]], None]

    def at_most(self, seconds: float) -> float:
        """How long a call is measured again and again: not at all at toy size, where it is called a few times."""
        return 0.0 if self.toy else seconds
