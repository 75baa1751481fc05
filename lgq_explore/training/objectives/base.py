"""The base class of a term of the training loss, and the weighted sum of terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from lgq_explore.models import TokenizerOutput
from lgq_explore.runs.config import TrainConfig

from ..step.steps_in_flight import LossInFlight

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class TrainingPass:
    """One forward pass of the tokenizer in training, from which terms are computed.

    step: counted from 0. images: [B, 3, S, S] in [-1, 1]. output: the tokenizer's output for them, with gradients.
    last_layer: the weight of the decoder's last layer, for terms that are balanced there. is_logged: whether the step
    has a row in the history; what only a row shows is computed only then.
    """

    step: int
    images: Tensor
    output: TokenizerOutput
    last_layer: Tensor | None = None
    is_logged: bool = False

    def detached(self) -> TrainingPass:
        """The same pass with a reconstruction that gives no gradients to the tokenizer."""
        return replace(self, output=replace(self.output, reconstruction=self.output.reconstruction.detach()))


@dataclass(frozen=True)
class Learned:
    """What the steps of terms' own optimisers gave: scalars for columns of the history, and the losses they minimised.

    Nothing waits for either: losses are looked at with those of the tokenizer, see `StepsInFlight`.
    """

    columns: Mapping[str, Tensor] = field(default_factory=dict)
    losses: Sequence[LossInFlight] = ()


@dataclass(frozen=True)
class ObjectiveSettings:
    """Settings that every term has, under `objectives.NAME` in a recipe."""

    start_step: int = 0  # the first step, counted from 0, at which the term is used

    def __post_init__(self) -> None:
        if self.start_step < 0:
            raise ValueError(f"start_step is {self.start_step}: it must not be negative")

    @property
    def is_balanced(self) -> bool:
        """Whether the weight is multiplied by `adaptive_weight` at the decoder's last layer."""
        return False


class Objective:
    """A named, weighted term of the loss that the tokenizer minimises.

    A subclass implements `loss`. Settings beyond `ObjectiveSettings` are fields of its own dataclass `Settings`.
    """

    Settings: ClassVar[type[ObjectiveSettings]] = ObjectiveSettings

    of_reconstruction: ClassVar[bool] = False
    """Whether the term depends on the tokenizer through the reconstruction alone."""

    def __init__(self, name: str, weight: float, settings: ObjectiveSettings, recipe: TrainConfig) -> None:
        self.name, self.weight, self.settings = name, weight, settings

    @classmethod
    def require(cls, name: str, settings: ObjectiveSettings, recipe: TrainConfig) -> None:
        """Raise InputError if what the term needs is not there; called before a run folder is made."""

    def is_active(self, step: int) -> bool:
        """Whether the term is computed at `step`, counted from 0."""
        return step >= self.settings.start_step

    def weight_at(self, step: int) -> float:
        """The weight at `step`, counted from 0; a subclass may override it with a schedule."""
        return self.weight if self.is_active(step) else 0.0

    def loss(self, training_pass: TrainingPass) -> Tensor:
        """The unweighted term, a scalar with gradients to the tokenizer."""
        raise NotImplementedError("abstract: a term says what it measures")

    @property
    def columns(self) -> tuple[str, ...]:
        """The term's columns of the history, which exist before the term has started, too."""
        return (f"loss_{self.name}",)

    def set_up(self, fabric: Fabric) -> None:
        """Move the term's networks and optimisers to the device that training runs on."""

    def learn(self, passes: Sequence[TrainingPass]) -> Learned:
        """Train the term's own parameters after a step of the tokenizer.

        passes: those of the step, one a micro-batch, whose reconstructions give no gradients.
        """
        return Learned()

    def state_dict(self) -> dict[str, Any]:
        """The term's state for a checkpoint: tensors, numbers and containers of them; empty if it has none."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from the result of `state_dict`. Raises an exception of some kind if it does not fit."""
        if state:
            raise ValueError(f"{self.name} has no state, but the checkpoint holds {', '.join(state)}")


def means(parts: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The mean over parts of each named scalar, without a gradient; of a single part, what it has."""
    if len(parts) == 1:
        return {name: value.detach() for name, value in parts[0].items()}
    stacked = {name: torch.stack([part[name].detach() for part in parts]) for name in parts[0]}
    return {name: (each if each.is_floating_point() else each.float()).mean() for name, each in stacked.items()}


def weighted_sum(losses: Mapping[str, Tensor], weights: Mapping[str, float] | Mapping[str, float | Tensor]) -> Tensor:
    """Σ weight·loss. Raises KeyError for a loss without a weight, and for a weight without a loss."""
    if losses.keys() != weights.keys():
        raise KeyError(f"losses {sorted(losses)} and weights {sorted(weights)} must have the same names")
    return sum(
        (weights[name] * loss for name, loss in losses.items()),
        start=next(iter(losses.values())).new_zeros(()),
    )
