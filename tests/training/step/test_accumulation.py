"""Tests of gradients that are accumulated over micro-batches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor

from lgq_explore.errors import InputError
from lgq_explore.models import build_tokenizer
from lgq_explore.quantizers import FSQConfig
from lgq_explore.runs.config import TrainConfig
from lgq_explore.training.loop import resume, train
from lgq_explore.training.objectives.base import TrainingPass, means
from lgq_explore.training.objectives.of_recipe import Objectives
from lgq_explore.training.step.accumulation import Accumulated, accumulated
from tests.training.objectives.planted import PLAIN
from tests.training.objectives.test_gan import SETTINGS
from tests.training.objectives.test_learned import StopsBefore

# FSQ has no loss of its own, and the other terms are means over images.
MEANS = replace(
    PLAIN,
    quantizer=FSQConfig((5, 5)),
    batch_size=32,
    loss_weights={"l1": 1.0, "l2": 0.5, "gan": 0.1},
    objectives={"gan": {**SETTINGS, "start_step": 0, "adaptive": False, "r1_weight": 1.0}},
)
SPLIT = replace(PLAIN, batch_size=6, accumulation=3)


class Step:
    """The first step of a recipe in float64, in micro-batches, up to the gradients."""

    def __init__(self, config: TrainConfig, count: int) -> None:
        fabric = Fabric(accelerator="cpu", devices=1, precision="64-true")
        tokenizer = build_tokenizer(config.backbone, config.quantizer, config.seed).double()
        objectives = Objectives(config)
        objectives.set_up(fabric)
        images = torch.rand(32, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 2 - 1

        def forward(micro_batch: Tensor) -> TrainingPass:
            return TrainingPass(0, micro_batch, tokenizer(micro_batch))

        self.done: Accumulated = accumulated(images, count, forward, objectives.minimised, Tensor.backward)
        self.learned = objectives.learn(self.done.passes)
        self.gradients = {name: weight.grad for name, weight in tokenizer.named_parameters()}
        (gan,) = [term for term in objectives._terms if term.name == "gan"]
        self.discriminator = gan.network.state_dict()


def test_four_times_8_images_are_a_batch_of_32_in_float64() -> None:
    whole, split = Step(MEANS, 1), Step(MEANS, 4)
    assert [len(each.images) for each in split.done.passes] == [8] * 4
    for name, gradient in whole.gradients.items():
        assert gradient.dtype == torch.float64
        torch.testing.assert_close(split.gradients[name], gradient, rtol=1e-9, atol=1e-12)
    for name, weight in whole.discriminator.items():
        torch.testing.assert_close(split.discriminator[name], weight, rtol=1e-9, atol=1e-9)
    assert torch.equal(split.done.codes, whole.done.codes)
    for name, value in {**whole.done.minimised.terms, **whole.learned.columns}.items():
        found = {**split.done.minimised.terms, **split.learned.columns}[name]
        assert found.item() == pytest.approx(value.item(), rel=1e-6), name


def test_means_of_a_single_part_are_its_own_and_whole_numbers_get_a_fraction() -> None:
    assert means([{"restarts": torch.tensor(3)}])["restarts"].item() == 3
    found = means([{"restarts": torch.tensor(3)}, {"restarts": torch.tensor(4)}])["restarts"]
    assert found.item() == 3.5


def test_a_split_run_is_resumed_to_the_same_weights_and_counts_all_its_tokens(tmp_path: Path) -> None:
    whole = train(SPLIT, tmp_path / "whole", device="cpu", progress=False)
    stopped = train(SPLIT, tmp_path / "run", device="cpu", controls=StopsBefore(7), progress=False)
    resumed = resume(stopped.path, device="cpu", progress=False)
    assert (resumed.path / "weights.safetensors").read_bytes() == (whole.path / "weights.safetensors").read_bytes()
    tokens = whole.history()["tokens_last_4_steps"]
    assert tokens.iloc[-1] == 4 * 6 * 4 * 4


def test_a_method_with_losses_of_the_batch_is_another_recipe(tmp_path: Path) -> None:
    split, whole = (
        train(replace(SPLIT, accumulation=count, steps=2), tmp_path / str(count), device="cpu", progress=False)
        for count in (3, 1)
    )
    assert split.config.recipe_hash != whole.config.recipe_hash
    first, other = (run.history().iloc[0] for run in (split, whole))
    assert first["loss_l1"] == pytest.approx(other["loss_l1"], rel=1e-5)
    assert first["loss_usage"] != pytest.approx(other["loss_usage"], rel=1e-5)


def test_a_pass_needs_the_tokens_that_a_batch_norm_does() -> None:
    settings = replace(PLAIN.quantizer, norm="batch")
    with pytest.raises(InputError, match="tokens in a pass are 1, and lgq with these settings needs at least 2"):
        replace(PLAIN, quantizer=settings, image_size=4, batch_size=3, accumulation=3)
