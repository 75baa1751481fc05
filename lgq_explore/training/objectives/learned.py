"""The base class of a term with its own network and optimiser, such as a discriminator."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from lgq_explore.runs.config import TrainConfig

from ..optimizer import BETAS
from ..restoring import load_optimizer
from ..step.steps_in_flight import LossInFlight
from .base import Learned, Objective, ObjectiveSettings, TrainingPass, means

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class LearnedSettings(ObjectiveSettings):
    """Settings of a term with its own network."""

    learning_rate: float = 1e-4  # of its own optimiser, constant

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"learning_rate is {self.learning_rate}: it must be a finite number above 0")


@dataclass(frozen=True)
class OwnLoss:
    """total: the loss that a term's network minimises, a scalar. columns: further scalars for the history, by name."""

    total: Tensor
    columns: Mapping[str, Tensor] = field(default_factory=dict)


class LearnedObjective(Objective):
    """A term computed by a network that is trained by its own loss.

    A subclass implements three methods. `new_network` builds the network. `tokenizer_loss` is the term that the
    tokenizer minimises; the network's parameters get no gradient from it. `own_loss` is the loss that the network
    minimises, on detached reconstructions. The network's optimiser steps after each step of the tokenizer, from the
    term's first step on. Network and optimiser are saved and resumed with the run.
    """

    Settings: ClassVar[type[ObjectiveSettings]] = LearnedSettings

    def __init__(self, name: str, weight: float, settings: LearnedSettings, recipe: TrainConfig) -> None:
        super().__init__(name, weight, settings, recipe)
        self.network: nn.Module = self.new_network(_generator(name, recipe.seed))
        self._learning_rate, self._gradient_clip = settings.learning_rate, recipe.gradient_clip
        self._learned = [weight for weight in self.network.parameters() if weight.requires_grad]
        self.optimizer = self.new_optimizer(self._learned)

    def new_network(self, generator: torch.Generator) -> nn.Module:
        """The network in training mode, its initial weights drawn from `generator`, which only this term uses."""
        raise NotImplementedError("abstract: a learned term builds its network")

    def new_optimizer(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """AdamW at the term's learning rate, without decay."""
        return torch.optim.AdamW(parameters, lr=self._learning_rate, betas=BETAS, weight_decay=0.0)

    def tokenizer_loss(self, training_pass: TrainingPass) -> Tensor:
        """The loss of the tokenizer: an unweighted scalar."""
        raise NotImplementedError("abstract: a learned term says what the tokenizer minimises")

    def own_loss(self, training_pass: TrainingPass) -> OwnLoss:
        """The loss of the network, of a pass whose reconstruction is detached."""
        raise NotImplementedError("abstract: a learned term says what its network minimises")

    @property
    def columns(self) -> tuple[str, ...]:
        return (*super().columns, self._own_column)

    def set_up(self, fabric: Fabric) -> None:
        self._fabric = fabric
        self.network, self._stepped = fabric.setup(self.network, self.optimizer)

    def loss(self, training_pass: TrainingPass) -> Tensor:
        with self._held():
            return self.tokenizer_loss(training_pass)

    def learn(self, passes: Sequence[TrainingPass]) -> Learned:
        self._stepped.zero_grad()
        found = []
        for training_pass in passes:
            own = self.own_loss(training_pass)
            self._fabric.backward(own.total / len(passes))
            found.append({self._own_column: own.total, **own.columns})
        columns = means(found)
        norm = self._fabric.clip_gradients(
            self.network, self._stepped, max_norm=self._gradient_clip, error_if_nonfinite=False
        )
        assert norm is not None  # Fabric has none for a clip by value only
        self._stepped.step()
        name, remedy = f"the own loss of {self.name}", f"objectives.{self.name}.learning_rate ({self._learning_rate:g})"
        return Learned(columns, [LossInFlight(name, columns[self._own_column], norm, remedy)])

    def state_dict(self) -> dict[str, Any]:
        network = {name: tensor.detach().cpu() for name, tensor in self.network.state_dict().items()}
        return {"network": network, "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        load_optimizer(self.optimizer, state["optimizer"])

    @property
    def _own_column(self) -> str:
        return f"loss_{self.name}_own"

    @contextmanager
    def _held(self) -> Iterator[None]:
        """A context in which the network's parameters need no gradients."""
        for parameter in self._learned:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in self._learned:
                parameter.requires_grad_(True)


def _generator(name: str, seed: int) -> torch.Generator:
    """A generator for this term alone, so that no term changes what another draws."""
    digest = hashlib.sha256(f"{name} {seed}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)
