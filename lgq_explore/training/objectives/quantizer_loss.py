"""A loss that the quantizer returns, as a term of the training loss."""

from __future__ import annotations

from torch import Tensor

from lgq_explore.runs.config import TrainConfig

from .base import Objective, ObjectiveSettings, TrainingPass


class QuantizerLoss(Objective):
    """The entry of `QuantizerOutput.losses` with the term's name, until the decoder alone is trained."""

    def __init__(self, name: str, weight: float, settings: ObjectiveSettings, recipe: TrainConfig) -> None:
        super().__init__(name, weight, settings, recipe)
        self.quantizer, self.end_step = recipe.quantizer, recipe.finish_step

    def is_active(self, step: int) -> bool:
        return super().is_active(step) and step < self.end_step

    def weight_at(self, step: int) -> float:
        return super().weight_at(step) * self.quantizer.loss_factor(self.name, step)

    def loss(self, training_pass: TrainingPass) -> Tensor:
        return training_pass.output.coded.losses[self.name]
