"""Tests of clipping by part."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from lgq_explore.quantizers import FSQConfig
from lgq_explore.training.loop import train
from lgq_explore.training.step import training_step
from lgq_explore.training.step.clipping import clip_parts
from tests.training.objectives.planted import PLAIN


def part(*gradient: float) -> nn.Linear:
    """A layer whose weight has this gradient, and whose bias has none."""
    layer = nn.Linear(len(gradient), 1)
    layer.weight.grad = torch.tensor([gradient])
    return layer


def test_each_part_is_scaled_to_the_largest_norm_and_no_smaller_one_is() -> None:
    large, small, none = part(3.0, -4.0), part(0.0, 0.5), nn.Identity()
    norm = clip_parts([large, none, small], 1.0)
    assert norm.item() == pytest.approx((25 + 0.25) ** 0.5)
    torch.testing.assert_close(large.weight.grad, torch.tensor([[0.6, -0.8]]))
    torch.testing.assert_close(small.weight.grad, torch.tensor([[0.0, 0.5]]))


def test_a_gradient_that_is_not_finite_shows_in_the_norm() -> None:
    assert clip_parts([part(torch.inf), part(1.0)], 1.0).isinf()


@pytest.mark.parametrize("quantizer", [PLAIN.quantizer, FSQConfig((5, 5))])
def test_a_run_clips_each_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quantizer: object) -> None:
    norms: list[list[float]] = []
    clip = training_step.clip_gradients

    def recording(fabric, tokenizer, optimizer, config):
        norm = clip(fabric, tokenizer, optimizer, config)
        parts = (tokenizer.encoder, tokenizer.quantizer, tokenizer.decoder)
        gradients = [[weight.grad.flatten() for weight in part.parameters()] for part in parts]
        norms.append([torch.cat(each).norm().item() for each in gradients if each])
        assert norm > max(norms[-1])
        return norm

    monkeypatch.setattr(training_step, "clip_gradients", recording)
    largest = 1e-3
    config = replace(
        PLAIN, quantizer=quantizer, loss_weights={}, gradient_clip=largest, gradient_clip_by_part=True, steps=2
    )
    train(config, tmp_path / "run", device="cpu", progress=False)
    assert norms[0] == pytest.approx([largest] * len(norms[0]), rel=1e-2)
