"""A term with a network and an optimiser of its own, as a discriminator has them, registered for tests alone.

`python -m tests.training.objectives.planted RUN STEP` trains such a run, and waits at a step to be killed.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import LGQConfig
from lgq_explore.quantizers.drawn_layers import conv2d
from lgq_explore.runs.config import TrainConfig
from lgq_explore.training.loop import LogEvent, train
from lgq_explore.training.objectives import OBJECTIVES
from lgq_explore.training.objectives.base import TrainingPass
from lgq_explore.training.objectives.learned import LearnedObjective, OwnLoss

NAME = "planted"
START = 10

PLAIN = TrainConfig(
    data="fake",
    image_size=16,
    backbone=BackboneConfig((8, 8, 8), dim=4),
    quantizer=LGQConfig(32),
    steps=16,
    batch_size=3,
    warmup_steps=2,
    log_steps=1,
    window_steps=4,
    checkpoint_steps=4,
    snapshot_steps=8,
)
RECIPE = replace(
    PLAIN,
    loss_weights={**PLAIN.loss_weights, NAME: 0.1},
    objectives={NAME: {"start_step": START, "learning_rate": 1e-2}},
)


class PlantedTerm(LearnedObjective):
    """The hinge losses of a critic of two convolutions."""

    def new_network(self, generator: torch.Generator) -> nn.Module:
        first, last = conv2d(3, 4, 3, generator, stride=2), conv2d(4, 1, 3, generator)
        return nn.Sequential(first, nn.LeakyReLU(0.2), last)

    def tokenizer_loss(self, training_pass: TrainingPass) -> Tensor:
        return -self.network(training_pass.output.reconstruction).mean()

    def own_loss(self, training_pass: TrainingPass) -> OwnLoss:
        real, made = self.network(training_pass.images), self.network(training_pass.output.reconstruction)
        return OwnLoss(functional.relu(1 - real).mean() + functional.relu(1 + made).mean())


def train_and_wait(run: str, held_at: int) -> None:
    """Train RECIPE, and wait for ever at a step, to be killed there."""
    OBJECTIVES[NAME] = PlantedTerm

    def hold(event: LogEvent) -> None:
        if event.row["step"] == held_at:
            print("held", flush=True)
            sys.stdin.read()

    train(RECIPE, run, device="cpu", on_log=hold, progress=False)


if __name__ == "__main__":
    train_and_wait(sys.argv[1], int(sys.argv[2]))
