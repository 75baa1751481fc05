"""An adversarial term: a discriminator learns to tell reconstructions from images, and the tokenizer to deceive it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lgq_explore.errors import InputError
from lgq_explore.models.discriminator import PatchDiscriminator, smallest_image
from lgq_explore.runs.config import TrainConfig, dataclass_from_json

from .adversarial_losses import ADVERSARIAL_LOSSES, LeCam, r1_penalty
from .base import TrainingPass
from .learned import LearnedObjective, LearnedSettings, OwnLoss

BETAS = (0.5, 0.9)
"""Of the discriminator's optimiser, as VQGAN has them."""


@dataclass(frozen=True)
class GANSettings(LearnedSettings):
    """Settings of the adversarial term. Steps are optimiser steps, however many micro-batches each has."""

    loss: str = "hinge"  # or non-saturating
    ramp_steps: int = 0  # steps from start_step over which the weight rises linearly to its full value
    adaptive: bool = True  # the weight is multiplied by `adaptive_weight`
    layers: int = 3  # of the discriminator that halve the resolution
    width: int = 64  # feature maps of its first layer
    lecam_weight: float = 0.0  # of LeCam's penalty; 0.001 where it is used with few pictures
    lecam_decay: float = 0.999  # of its running averages, per batch
    r1_weight: float = 0.0  # γ, of R1's penalty
    r1_interval: int = 16  # steps from one R1 penalty to the next, which has this factor (Karras et al. 2020)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.loss not in ADVERSARIAL_LOSSES:
            raise ValueError(f"loss is {self.loss!r}: choose one of {', '.join(ADVERSARIAL_LOSSES)}")
        self._require_at_least(1, ("layers", "width", "r1_interval"))
        self._require_at_least(0, ("ramp_steps", "lecam_weight", "r1_weight"))
        if not 0 <= self.lecam_decay < 1:
            raise ValueError(f"lecam_decay is {self.lecam_decay}: it must be from 0 to below 1")

    def _require_at_least(self, least: int, names: Iterable[str]) -> None:
        for name in names:
            if not least <= getattr(self, name) < torch.inf:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be a finite number of at least {least}")

    @property
    def is_balanced(self) -> bool:
        return self.adaptive

    @property
    def full_weight_step(self) -> int:
        """The number of finished steps from which on the weight has had its full value."""
        return self.start_step + max(1, self.ramp_steps)


def gan_settings(recipe: TrainConfig) -> GANSettings | None:
    """The settings of a recipe's adversarial term; None for a recipe that gives it no weight.

    Raises InputError for an unknown setting, or one that can't be used.
    """
    if not recipe.loss_weights.get("gan"):
        return None
    return dataclass_from_json(GANSettings, recipe.objectives.get("gan", {}), "objectives.gan.")


class GAN(LearnedObjective):
    """The loss of a generator against a `PatchDiscriminator`, which learns from the term's first step on.

    VQGAN (Esser et al. 2021, arXiv 2012.09841). Columns of the history besides the losses, which are the generator's
    and the discriminator's with its penalties: the mean logits of real and of reconstructed crops, above 0 for what is
    taken as real, before the discriminator's step; `adaptive_weight` λ; and the unweighted penalties that are used.
    R1's is of the newest step that had one.
    """

    Settings = GANSettings
    of_reconstruction = True

    def __init__(self, name: str, weight: float, settings: GANSettings, recipe: TrainConfig) -> None:
        self.settings: GANSettings = settings
        super().__init__(name, weight, settings, recipe)
        self._losses = ADVERSARIAL_LOSSES[settings.loss]
        self._discriminator = self.network  # outside of the wrapper that `set_up` puts around it
        self._lecam = LeCam(settings.lecam_decay)
        self._newest_r1 = torch.zeros(())

    @classmethod
    def require(cls, name: str, settings: GANSettings, recipe: TrainConfig) -> None:  # type: ignore[override]
        smallest = smallest_image(settings.layers)
        if recipe.image_size < smallest:
            raise InputError(
                f"objectives.{name}.layers is {settings.layers}, which needs an image_size of {smallest}, not "
                f"{recipe.image_size}: take fewer layers"
            )

    def new_network(self, generator: torch.Generator) -> nn.Module:
        network = PatchDiscriminator(self.settings.layers, self.settings.width, generator)
        return network.to(memory_format=torch.channels_last)

    def new_optimizer(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.Adam(parameters, lr=self.settings.learning_rate, betas=BETAS)

    def set_up(self, fabric: Any) -> None:
        super().set_up(fabric)
        self._lecam.to(fabric.device)
        self._newest_r1 = self._newest_r1.to(fabric.device)

    def weight_at(self, step: int) -> float:
        since = step - self.settings.start_step + 1
        return super().weight_at(step) * min(1.0, since / max(1, self.settings.ramp_steps))

    def tokenizer_loss(self, training_pass: TrainingPass) -> Tensor:
        return self._losses.of_generator(self.network(training_pass.output.reconstruction).float())

    def own_loss(self, training_pass: TrainingPass) -> OwnLoss:
        settings, images = self.settings, training_pass.images
        logits = self.network(torch.cat([images, training_pass.output.reconstruction])).float()
        real, made = logits.chunk(2)
        total = self._losses.of_discriminator(real, made)
        values = {"logits_real": real.mean(), "logits_reconstructed": made.mean()}
        if settings.lecam_weight:
            values["lecam"] = self._lecam(real, made)
            total = total + settings.lecam_weight * values["lecam"]
        if settings.r1_weight:
            if (training_pass.step - settings.start_step) % settings.r1_interval == 0:
                penalty = self._r1(images)
                total = total + settings.r1_weight * settings.r1_interval * penalty
                self._newest_r1 = penalty.detach()
            values["r1"] = self._newest_r1
        return OwnLoss(total, {f"{self.name}_{quantity}": value for quantity, value in values.items()})

    @property
    def columns(self) -> tuple[str, ...]:
        settings = self.settings
        used = {
            "logits_real": True,
            "logits_reconstructed": True,
            "adaptive_weight": settings.adaptive,
            "lecam": settings.lecam_weight > 0,
            "r1": settings.r1_weight > 0,
        }
        return (*super().columns, *(f"{self.name}_{quantity}" for quantity, is_used in used.items() if is_used))

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "lecam": self._lecam.averages.cpu(), "r1": self._newest_r1.cpu()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self._lecam.averages.copy_(state["lecam"])
        self._newest_r1.copy_(state["r1"])

    def _r1(self, images: Tensor) -> Tensor:
        # In float32: the penalty is a gradient that is differentiated again.
        with torch.autocast(images.device.type, enabled=False):
            return r1_penalty(self._discriminator, images.to(torch.promote_types(images.dtype, torch.float32)))
