"""The time that each part of a training step takes: encoder, quantizer, decoder, objectives and optimiser.

A step is made as the loop makes it, but the clock waits for the device after each part. The backward pass of a part
ends when the gradient of its input is there.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

import torch
from torch import Tensor

from lgq_explore.bench.training import clock
from lgq_explore.models import Tokenizer, TokenizerOutput
from lgq_explore.runs.config import TrainConfig
from lgq_explore.training.machine import fabric_on, precision_on
from lgq_explore.training.objectives.base import TrainingPass
from lgq_explore.training.objectives.last_layer import last_layer_of
from lgq_explore.training.objectives.of_recipe import Objectives
from lgq_explore.training.optimizer import adamw

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
    tell = ended or (lambda part: None)
    kind, parameters = images.device.type, list(tokenizer.parameters())
    in_bfloat16 = precision_on(images.device, recipe.precision) == "bf16-mixed"
    optimizer, objectives = adamw(tokenizer, recipe), Objectives(recipe)
    objectives.set_up(fabric_on(kind, recipe.precision))

    def step() -> None:
        with torch.autocast(kind, torch.bfloat16, enabled=in_bfloat16):
            latents = tokenizer.encode(images)
        latents = latents.float()
        tell("encoder")
        coded = tokenizer.quantizer(latents)
        tell("quantizer")
        with torch.autocast(kind, torch.bfloat16, enabled=in_bfloat16):
            reconstruction = tokenizer.decode(coded.quantized)
        reconstruction = reconstruction.float()
        tell("decoder")
        output = TokenizerOutput(reconstruction, latents, coded)
        training_pass = TrainingPass(recipe.steps - 1, images, output, last_layer_of(tokenizer.decoder))
        total = objectives.minimised(training_pass).total
        if ended is not None:
            # Of the tensor between two parts, the gradient is there when the later part's backward pass has ended.
            for tensor, later in ((reconstruction, "objectives"), (coded.quantized, "decoder"), (latents, "quantizer")):
                tensor.register_hook(lambda gradient, later=later: tell(later))
        optimizer.zero_grad()
        total.backward()
        tell("encoder")
        torch.nn.utils.clip_grad_norm_(parameters, recipe.gradient_clip)
        optimizer.step()
        tell("optimiser")
        objectives.learn([training_pass.detached()])
        tell("objectives")

    return step


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
