"""Steps that the device may still be working on, so that no step has to wait for it."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..window import StepTrace


@dataclass(frozen=True)
class LossInFlight:
    """A loss that a step minimised, and the norm of its gradient: scalars on the device, without gradients.

    name: in a message, such as "the loss". remedy: the setting to lower where it diverged, in words.
    """

    name: str
    loss: Tensor
    gradient_norm: Tensor
    remedy: str


@dataclass(frozen=True)
class StepInFlight:
    """number: finished steps with this one. started: by `time.perf_counter`. codes: [B, G, H, W]. images: their number.

    losses: the tokenizer's, and then those of terms with an optimiser of their own. waited: seconds until its pictures
    were there.
    """

    number: int
    started: float
    codes: Tensor
    images: int
    losses: Sequence[LossInFlight]
    waited: float = 0.0


class StepDiverged(ArithmeticError):
    """A loss of the step with this number, or its gradient, is not finite. remedy: the setting to lower, in words."""

    def __init__(self, number: int, of: LossInFlight, loss: float, gradient_norm: float) -> None:
        super().__init__(f"{of.name} is {loss:g}, the norm of its gradient {gradient_norm:g}")
        self.number, self.remedy = number, of.remedy


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
        others, and so they share those in which they waited for their pictures.
        """
        steps, self._steps = self._steps, []
        if not steps:
            return []
        flying = [(step.number, loss) for step in steps for loss in step.losses]
        losses, norms = (
            torch.stack([getattr(loss, name).double() for _, loss in flying]).tolist()
            for name in ("loss", "gradient_norm")
        )
        seconds = (time.perf_counter() - steps[0].started) / len(steps)
        waited = sum(step.waited for step in steps) / len(steps)
        for (number, of), loss, norm in zip(flying, losses, norms, strict=True):
            if not math.isfinite(loss + norm):
                raise StepDiverged(number, of, loss, norm)
        return [StepTrace(step.codes, step.images, seconds, waited) for step in steps]
