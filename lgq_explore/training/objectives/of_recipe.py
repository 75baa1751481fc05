"""All terms of a recipe's loss: checked, summed, trained and saved together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lgq_explore.errors import InputError, near_matches
from lgq_explore.runs.config import TrainConfig, dataclass_from_json

from . import OBJECTIVES
from .base import Learned, Objective, ObjectiveSettings, TrainingPass, weighted_sum
from .last_layer import adaptive_weight, gradient_shares, linearised
from .quantizer_loss import QuantizerLoss

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class Minimised:
    """total: the weighted sum, a scalar with gradients. terms: the unweighted terms that are active, by name.

    adaptive_weights: the factors on the weights of those that are balanced. gradient_shares: of the terms of the
    reconstruction, see `gradient_shares`; at a logged step.
    """

    total: Tensor
    terms: Mapping[str, Tensor]
    adaptive_weights: Mapping[str, Tensor] = field(default_factory=dict)
    gradient_shares: Mapping[str, Tensor] = field(default_factory=dict)


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
        active = self._active(training_pass.step)
        balanced = [term.name for term in active if term.settings.is_balanced]
        losses = {term.name: _loss(term, training_pass, is_linear=bool(balanced)) for term in active}
        weights: dict[str, float | Tensor] = {term.name: term.weight_at(training_pass.step) for term in active}
        weighted = {term.name: weights[term.name] * losses[term.name] for term in active if term.of_reconstruction}
        factors = _adaptive_weights(weighted, balanced, losses, training_pass.last_layer)
        for name, factor in factors.items():
            weights[name], weighted[name] = weights[name] * factor, weighted[name] * factor
        shares = {}
        if training_pass.is_logged and training_pass.last_layer is not None and len(self._shared) > 1:
            shares = gradient_shares(weighted, training_pass.last_layer)
        return Minimised(weighted_sum(losses, weights), losses, factors, shares)

    def learn(self, passes: Sequence[TrainingPass]) -> Learned:
        """Train the terms' own parameters after a step of the tokenizer.

        passes: those of the step, one a micro-batch, whose reconstructions give no gradients.
        """
        learned = [term.learn(passes) for term in self._active(passes[0].step)]
        columns = {name: value for each in learned for name, value in each.columns.items()}
        return Learned(columns, [loss for each in learned for loss in each.losses])

    def columns(self, minimised: Minimised, learned: Learned) -> dict[str, float | None]:
        """The history's columns: those of the terms, and shares of the gradient at the decoder's last layer.

        None for a term that is not active. Where one term alone reads the reconstruction, there are no shares.
        """
        values = {f"loss_{name}": loss for name, loss in minimised.terms.items()} | dict(learned.columns)
        values |= {f"{name}_adaptive_weight": factor for name, factor in minimised.adaptive_weights.items()}
        values |= {f"gradient_share_{name}": share for name, share in minimised.gradient_shares.items()}
        named = [column for term in self._terms for column in term.columns]
        if len(self._shared) > 1:
            named += [f"gradient_share_{name}" for name in self._shared]
        return {column: values[column].item() if column in values else None for column in named}

    def state_dict(self) -> dict[str, Any]:
        """The states of the terms that have one, by name."""
        return {term.name: state for term in self._terms if (state := term.state_dict())}

    def load_state_dict(self, states: Mapping[str, Any]) -> None:
        """Continue from the result of `state_dict`. Raises an exception of some kind if it does not fit."""
        for term in self._terms:
            term.load_state_dict(states.get(term.name, {}))

    @property
    def _shared(self) -> list[str]:
        """The terms of the reconstruction, which share the gradient at the decoder's last layer."""
        return [term.name for term in self._terms if term.of_reconstruction]

    def _active(self, step: int) -> list[Objective]:
        return [term for term in self._terms if term.is_active(step)]


def _loss(term: Objective, training_pass: TrainingPass, *, is_linear: bool) -> Tensor:
    """The unweighted term; linearised where it is of the reconstruction, and gradients of it are taken twice."""
    loss = term.loss(training_pass)
    return linearised(loss, training_pass.output.reconstruction) if is_linear and term.of_reconstruction else loss


def _adaptive_weights(
    weighted: Mapping[str, Tensor], balanced: Sequence[str], losses: Mapping[str, Tensor], last_layer: Tensor | None
) -> dict[str, Tensor]:
    """The factors on the weights of balanced terms, against the weighted sum of the other terms of the reconstruction.

    Raises ValueError if there are balanced terms and no last layer.
    """
    if not balanced:
        return {}
    if last_layer is None:
        raise ValueError(f"{', '.join(balanced)} is balanced at the decoder's last layer, which the pass lacks")
    reference = torch.stack([loss for name, loss in weighted.items() if name not in balanced]).sum()
    return {name: adaptive_weight(reference, losses[name], last_layer) for name in balanced}


def reconstruction_terms(recipe: TrainConfig) -> list[str]:
    """The terms of a recipe that depend on the tokenizer through the reconstruction alone, in their order.

    The history has the discriminator's columns where `gan` is one of them, and shares of the gradient of several.
    """
    return [name for name, kind in _kinds(recipe).items() if name in recipe.loss_weights and kind.of_reconstruction]


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
    _require_reference(settings, kinds)
    _require_decoder_trained(recipe, settings, kinds)
    return settings


def _require_reference(settings: Mapping[str, ObjectiveSettings], kinds: Mapping[str, type[Objective]]) -> None:
    """Raise InputError for a balanced term that starts before there is anything to balance it with."""
    references = [
        setting.start_step
        for name, setting in settings.items()
        if kinds[name].of_reconstruction and not setting.is_balanced
    ]
    for name, setting in settings.items():
        if setting.is_balanced and setting.start_step < min(references, default=math.inf):
            raise InputError(
                f"objectives.{name}.adaptive is true, and no other term of the reconstruction starts by its start_step "
                f"{setting.start_step}: give l1 a weight, or set it to false"
            )


def _require_decoder_trained(
    recipe: TrainConfig, settings: Mapping[str, ObjectiveSettings], kinds: Mapping[str, type[Objective]]
) -> None:
    """Raise InputError if the decoder alone is to be trained, and no term of the reconstruction has started by then."""
    starts = [setting.start_step for name, setting in settings.items() if kinds[name].of_reconstruction]
    if recipe.finish_step < recipe.steps and min(starts, default=math.inf) > recipe.finish_step:
        raise InputError(
            f"decoder_finish is {recipe.decoder_share:g}, and no term of the reconstruction has started at its first "
            f"step {recipe.finish_step}: give l1 a weight, or start it before"
        )


def _kinds(recipe: TrainConfig) -> dict[str, type[Objective]]:
    """The class of every term that a recipe with this quantizer may name."""
    of_quantizer = dict.fromkeys(recipe.quantizer.default_loss_weights, QuantizerLoss)
    return {name: kind for name, kind in OBJECTIVES.items() if name not in of_quantizer} | of_quantizer
