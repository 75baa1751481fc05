"""The time that each part of a training step takes: encoder, quantizer, decoder, objectives and optimiser.

It is the loop's own step, but the clock waits for the device after each part. The backward pass of a part ends when the
gradient of its input is there.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from lgq_explore.bench.training import clock
from lgq_explore.models import Tokenizer
from lgq_explore.quantizers import QuantizerOutput
from lgq_explore.runs.config import TrainConfig
from lgq_explore.training.machine import fabric_on
from lgq_explore.training.step.training_step import StepMade, TrainingStep

PARTS = ("encoder", "quantizer", "decoder", "objectives", "optimiser")
REPEATS = 5


def seconds_by_part(tokenizer: Tokenizer, recipe: TrainConfig, images: Tensor) -> dict[str, float]:
    """The median seconds of each of PARTS, forward and backward together, over REPEATS steps after a first one."""
    laps = _Laps(images.device)
    step = whole_step(tokenizer, recipe, images, laps.end)
    made = []
    for _ in range(1 + REPEATS):
        laps.begin()
        step()
        made.append(laps.seconds)
    return {part: statistics.median(seconds[part] for seconds in made[1:]) for part in PARTS}


def whole_step(
    tokenizer: Tokenizer, recipe: TrainConfig, images: Tensor, ended: Callable[[str], None] | None = None
) -> Callable[[], None]:
    """A training step on these images [B, 3, S, S], at the recipe's last step, with all objectives.

    ended: called with the name of a part after its forward pass, and again after its backward pass.
    """
    fabric = fabric_on(images.device.type, recipe.precision)
    step = TrainingStep(tokenizer, recipe, fabric) if ended is None else _ToldStep(tokenizer, recipe, fabric, ended)

    def make() -> None:
        step.make(recipe.steps - 1, images)

    return make


class _ToldStep(TrainingStep):
    """A step that tells when a part of it has ended."""

    def __init__(self, tokenizer: Tokenizer, config: TrainConfig, fabric: Any, ended: Callable[[str], None]) -> None:
        super().__init__(tokenizer, config, fabric)
        self._ended = ended
        # Of the tensor between two parts, the gradient is there when the later part's backward pass has ended.
        for part, module, later in (
            ("encoder", tokenizer.encoder, "quantizer"),
            ("quantizer", tokenizer.quantizer, "decoder"),
            ("decoder", tokenizer.decoder, "objectives"),
        ):
            module.register_forward_hook(self._told(part, later))

    def _told(self, part: str, later: str) -> Callable[[nn.Module, Any, Any], Tensor | QuantizerOutput]:
        def forward_ended(module: nn.Module, inputs: Any, output: Any) -> Tensor | QuantizerOutput:
            self._ended(part)
            made = output.quantized if isinstance(output, QuantizerOutput) else output
            own = made.view_as(made)  # a part may return the tensor that it was given, on which both would wait
            own.register_hook(lambda gradient: self._ended(later))
            return replace(output, quantized=own) if isinstance(output, QuantizerOutput) else own

        return forward_ended

    def make(self, step: int, images: Tensor, *, is_logged: bool = False) -> StepMade:
        made = super().make(step, images, is_logged=is_logged)
        self._ended("objectives")
        return made

    def backward(self, loss: Tensor) -> None:
        super().backward(loss)
        self._ended("encoder")

    def update(self) -> Tensor:
        gradient_norm = super().update()
        self._ended("optimiser")
        return gradient_norm


class _Laps:
    """Seconds from the end of one part to the end of the next, summed by part."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def begin(self) -> None:
        self.seconds = dict.fromkeys(PARTS, 0.0)
        self._last = clock(self._device)

    def end(self, part: str) -> None:
        now = clock(self._device)
        self.seconds[part] += now - self._last
        self._last = now
