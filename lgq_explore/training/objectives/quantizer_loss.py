"""A loss that the quantizer returns, as a term of the training loss."""

from __future__ import annotations

from torch import Tensor

from .base import Objective, TrainingPass


class QuantizerLoss(Objective):
    """The entry of `QuantizerOutput.losses` with the term's name."""

    def loss(self, training_pass: TrainingPass) -> Tensor:
        return training_pass.output.coded.losses[self.name]
