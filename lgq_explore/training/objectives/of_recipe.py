"""All terms of a recipe's loss: checked, summed, trained and saved together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from lgq_explore.errors import InputError
from lgq_explore.runs.config import TrainConfig, dataclass_from_json, near_matches

from . import OBJECTIVES
from .base import Objective, ObjectiveSettings, TrainingPass, weighted_sum
from .quantizer_loss import QuantizerLoss

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class Minimised:
    """total: the weighted sum, a scalar with gradients. terms: the unweighted terms that have started, by name."""

    total: Tensor
    terms: Mapping[str, Tensor]


class Objectives:
    """The terms of a recipe: those of the registry, in its order, then those of the quantizer.

    Raises InputError as `require_objectives`.
    """

    def __init__(self, recipe: TrainConfig) -> None:
        settings = _checked_settings(recipe)
        kinds = _kinds(recipe)
        self._terms = [kinds[name](name, recipe.loss_weights[name], settings[name], recipe) for name in settings]

    def set_up(self, fabric: Fabric) -> None:
        """Move the terms' networks and optimisers to the device that training runs on."""
        for term in self._terms:
            term.set_up(fabric)

    def minimised(self, training_pass: TrainingPass) -> Minimised:
        """The loss that the tokenizer minimises at a step."""
        started = self._started(training_pass.step)
        losses = {term.name: term.loss(training_pass) for term in started}
        weights = {term.name: term.weight_at(training_pass.step) for term in started}
        return Minimised(weighted_sum(losses, weights), losses)

    def learn(self, training_pass: TrainingPass) -> dict[str, float]:
        """Train the terms' own parameters after a step of the tokenizer, and return values for their columns."""
        values: dict[str, float] = {}
        for term in self._started(training_pass.step):
            values |= term.learn(training_pass)
        return values

    def columns(self, minimised: Minimised, learned: Mapping[str, float]) -> dict[str, float | None]:
        """The history's columns: unweighted terms, and own losses; None for a term that has not started."""
        values = {f"loss_{name}": loss.item() for name, loss in minimised.terms.items()} | dict(learned)
        return {column: values.get(column) for term in self._terms for column in term.columns}

    def state_dict(self) -> dict[str, Any]:
        """The states of the terms that have one, by name."""
        return {term.name: state for term in self._terms if (state := term.state_dict())}

    def load_state_dict(self, states: Mapping[str, Any]) -> None:
        """Continue from the result of `state_dict`. Raises an exception of some kind if it does not fit."""
        for term in self._terms:
            term.load_state_dict(states.get(term.name, {}))

    def _started(self, step: int) -> list[Objective]:
        return [term for term in self._terms if term.has_started(step)]


def require_objectives(recipe: TrainConfig) -> None:
    """Raise InputError for an unknown term or setting, for what a term lacks here, and if none starts at step 0."""
    kinds = _kinds(recipe)
    for name, settings in _checked_settings(recipe).items():
        kinds[name].require(name, settings, recipe)


def _checked_settings(recipe: TrainConfig) -> dict[str, ObjectiveSettings]:
    """The settings of each term that the recipe names, in the order of the terms."""
    kinds = _kinds(recipe)
    for name in recipe.loss_weights:
        if name not in kinds:
            raise InputError(
                f"loss_weights: {name!r} is unknown to {recipe.quantizer.method}{near_matches(name, list(kinds))}; "
                f"give weights of {', '.join(kinds)}"
            )
    settings = {
        name: dataclass_from_json(kind.Settings, recipe.objectives.get(name, {}), f"objectives.{name}.")
        for name, kind in kinds.items()
        if name in recipe.loss_weights
    }
    if all(setting.start_step for setting in settings.values()):
        first = min(settings, key=lambda name: settings[name].start_step)
        raise InputError(
            f"objectives.{first}.start_step is {settings[first].start_step}, and no other term starts before: "
            "one term must start at step 0"
        )
    return settings


def _kinds(recipe: TrainConfig) -> dict[str, type[Objective]]:
    """The class of every term that a recipe with this quantizer may name."""
    of_quantizer = dict.fromkeys(recipe.quantizer.default_loss_weights, QuantizerLoss)
    return {name: kind for name, kind in OBJECTIVES.items() if name not in of_quantizer} | of_quantizer
