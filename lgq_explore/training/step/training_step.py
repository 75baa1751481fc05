"""One optimiser step of a tokenizer and of the terms that have parameters of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from lgq_explore.models import Tokenizer
from lgq_explore.runs.config import TrainConfig

from ..objectives.base import Learned, TrainingPass
from ..objectives.last_layer import last_layer_of
from ..objectives.of_recipe import Minimised, Objectives
from ..optimizer import adamw, learning_rate
from .accumulation import accumulated
from .clipping import clip_gradients
from .compilation import compiled
from .steps_in_flight import LossInFlight

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class StepMade:
    """What a step gave, on the device, without gradients.

    codes: [B, G, H, W] of its images. minimised, diagnostics: means over its micro-batches. learned: by the terms'
    own optimisers. losses: the tokenizer's, and then those of such terms.
    """

    codes: Tensor
    minimised: Minimised
    diagnostics: Mapping[str, Tensor]
    learned: Learned
    losses: Sequence[LossInFlight]


class TrainingStep:
    """A tokenizer, its optimiser and the terms of a recipe on the device of a Fabric, and the step that they make.

    A step waits for nothing: what it gave is looked at later.
    """

    def __init__(self, tokenizer: Tokenizer, config: TrainConfig, fabric: Fabric) -> None:
        self.config, self.fabric = config, fabric
        self.optimizer = adamw(tokenizer, config)
        self.objectives = Objectives(config)
        stepped = compiled(tokenizer) if config.compile else tokenizer
        self.model, self._stepped = fabric.setup(stepped, self.optimizer)
        self.objectives.set_up(fabric)
        self.last_layer = last_layer_of(tokenizer.decoder)

    def make(self, step: int, images: Tensor, *, is_logged: bool = False) -> StepMade:
        """The step with this number, counted from 0, on images [B, 3, S, S] in [-1, 1] on the device."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, step)
        self._stepped.zero_grad()

        def forward(micro_batch: Tensor) -> TrainingPass:
            return TrainingPass(step, micro_batch, self.model(micro_batch), self.last_layer, is_logged)

        done = accumulated(images, self.config.accumulation, forward, self.objectives.minimised, self.backward)
        gradient_norm = self.update()
        learned = self.objectives.learn(done.passes)
        remedy = f"learning_rate ({self.config.learning_rate:g})"
        loss = LossInFlight("the loss", done.minimised.total, gradient_norm, remedy)
        return StepMade(done.codes, done.minimised, done.diagnostics, learned, [loss, *learned.losses])

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a micro-batch's loss to those of the parameters."""
        self.fabric.backward(loss)

    def update(self) -> Tensor:
        """Clip the gradients and move the tokenizer's parameters. Returns the norm before that, a scalar."""
        gradient_norm = clip_gradients(self.fabric, self.model, self._stepped, self.config)
        self._stepped.step()
        return gradient_norm
