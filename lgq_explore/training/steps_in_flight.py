"""Steps that the device may still be working on, so that no step has to wait for it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import torch
from torch import Tensor

from .window import StepTrace


@dataclass(frozen=True)
class StepInFlight:
    """number: finished steps with this one. started: by `time.perf_counter`. codes: [B, G, H, W]. images: their number.

    loss, gradient_norm: scalars on the device, without gradients. waited: seconds until its pictures were there.
    """

    number: int
    started: float
    codes: Tensor
    images: int
    loss: Tensor
    gradient_norm: Tensor
    waited: float = 0.0


class StepDiverged(ArithmeticError):
    """The loss of the step with this number, or its gradient, is not finite."""

    def __init__(self, number: int, loss: float, gradient_norm: float) -> None:
        super().__init__(f"the loss is {loss:g}, the norm of its gradient {gradient_norm:g}")
        self.number = number


class StepsInFlight:
    """The steps since `landed` was last called, with what is known of them once the device has made them."""

    def __init__(self) -> None:
        self._steps: list[StepInFlight] = []

    def __len__(self) -> int:
        return len(self._steps)

    def add(self, step: StepInFlight) -> None:
        self._steps.append(step)

    def landed(self) -> list[StepTrace]:
        """Wait for the device, and return the traces of the steps. Raises StepDiverged for the first that diverged.

        The steps share the seconds since the first of them began evenly, since a device makes one while it is given
        others.
        """
        steps, self._steps = self._steps, []
        if not steps:
            return []
        losses, norms = (
            torch.stack([getattr(step, name).double() for step in steps]).tolist() for name in ("loss", "gradient_norm")
        )
        seconds = (time.perf_counter() - steps[0].started) / len(steps)
        for step, loss, norm in zip(steps, losses, norms, strict=True):
            if not math.isfinite(loss + norm):
                raise StepDiverged(step.number, loss, norm)
        return [StepTrace(step.codes, step.images, seconds, step.waited) for step in steps]
