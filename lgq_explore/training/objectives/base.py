"""One term of what training minimises, and the weighted sum of several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from lightning_fabric import Fabric
from torch import Tensor

from lgq_explore.models import TokenizerOutput
from lgq_explore.runs.config import TrainConfig


@dataclass(frozen=True)
class TrainingPass:
    """What a term is computed from.

    step: counted from 0. images: [B, 3, S, S] in [-1, 1]. output: what the tokenizer made of them, with gradients.
    """

    step: int
    images: Tensor
    output: TokenizerOutput


@dataclass(frozen=True)
class ObjectiveSettings:
    """What a recipe may set of any term, under `objectives.NAME`."""

    start_step: int = 0  # the first step, counted from 0, at which the term has its weight

    def __post_init__(self) -> None:
        if self.start_step < 0:
            raise ValueError(f"start_step is {self.start_step}: it must not be negative")


class Objective:
    """A named, weighted term of what the tokenizer minimises.

    A subclass gives `loss`, and a dataclass of its own as `Settings` where a recipe may set more of it. It is made
    from its name, its weight in the recipe, its settings, and the recipe.
    """

    Settings: ClassVar[type[ObjectiveSettings]] = ObjectiveSettings

    def __init__(self, name: str, weight: float, settings: ObjectiveSettings, recipe: TrainConfig) -> None:
        self.name, self.weight, self.settings = name, weight, settings

    def has_started(self, step: int) -> bool:
        """Whether the term is computed at `step`, counted from 0."""
        return step >= self.settings.start_step

    def weight_at(self, step: int) -> float:
        """The weight at `step`, counted from 0; a term may override it with a schedule of its own."""
        return self.weight if self.has_started(step) else 0.0

    def loss(self, training_pass: TrainingPass) -> Tensor:
        """The term, an unweighted scalar with gradients to the tokenizer."""
        raise NotImplementedError("abstract: a term says what it measures")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the history that the term fills, whether it has started or not."""
        return (f"loss_{self.name}",)

    def set_up(self, fabric: Fabric) -> None:
        """Move what the term holds to the device that training runs on."""

    def learn(self, training_pass: TrainingPass) -> dict[str, float]:
        """Train the term's own parameters after a step of the tokenizer, and return values for its columns."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps of the term: tensors, numbers and containers of them; empty where it has no state."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned. Raises an exception of some kind where it does not fit."""
        if state:
            raise ValueError(f"{self.name} has no state, but the checkpoint holds {', '.join(state)}")


def weighted_sum(losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Σ weight·loss. Raises KeyError where a loss has no weight, or a weight no loss: neither is dropped silently."""
    if losses.keys() != weights.keys():
        raise KeyError(f"losses {sorted(losses)} and weights {sorted(weights)} must have the same names")
    return sum(
        (weights[name] * loss for name, loss in losses.items()),
        start=next(iter(losses.values())).new_zeros(()),
    )
