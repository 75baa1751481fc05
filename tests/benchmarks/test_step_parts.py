"""Tests of the time that each part of a training step takes."""

from __future__ import annotations

import pytest
import torch

from benchmarks.gpu.step_parts import PARTS, seconds_by_part, whole_step
from lgq_explore.models import BackboneConfig, build_tokenizer
from lgq_explore.quantizers import QUANTIZERS
from lgq_explore.runs.config import TrainConfig
from lgq_explore.training.presets import with_quantizer

IMAGES = torch.rand(2, 3, 16, 16)


def recipe(method: str) -> TrainConfig:
    config = TrainConfig(data="fake", image_size=16, batch_size=2, steps=2, backbone=BackboneConfig((8, 8, 8), dim=4))
    return with_quantizer(config, method, 32)


@pytest.mark.parametrize("method", QUANTIZERS)
def test_parts_end_in_their_order_forward_and_backward(method: str) -> None:
    config, ended = recipe(method), []
    tokenizer = build_tokenizer(config.backbone, config.quantizer, 0)
    before = tokenizer.encoder[0].weight.clone()
    whole_step(tokenizer, config, IMAGES, ended.append)()
    forward, backward = ["encoder", "quantizer", "decoder"], ["objectives", "decoder", "quantizer", "encoder"]
    assert ended == [*forward, *backward, "optimiser", "objectives"]
    assert not torch.equal(tokenizer.encoder[0].weight, before)


def test_every_part_takes_time() -> None:
    config = recipe("lgq")
    seconds = seconds_by_part(build_tokenizer(config.backbone, config.quantizer, 0), config, IMAGES)
    assert list(seconds) == list(PARTS)
    assert all(value > 0 for value in seconds.values())
