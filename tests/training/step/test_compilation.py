"""Tests of torch.compile in training, together with terms that are balanced at the decoder's last layer."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lgq_explore.models import build_tokenizer
from lgq_explore.training.loop import train
from lgq_explore.training.objectives.last_layer import last_layer_of
from lgq_explore.training.step import training_step
from lgq_explore.training.step.compilation import compiled
from tests.training.objectives.planted import PLAIN
from tests.training.objectives.test_gan import PENALTIES, SETTINGS

BALANCED = replace(
    PLAIN,
    steps=3,
    loss_weights={**PLAIN.loss_weights, "l2": 0.5, "gan": 0.1},
    objectives={"gan": {**SETTINGS, **PENALTIES, "start_step": 0}},
)
AHEAD_OF_TIME = "aot_eager"
"""Traces forward and backward passes as inductor does, with the same demands on how often these run; generates none."""


def test_the_last_layer_and_the_quantizer_stay_as_they_are() -> None:
    tokenizer = build_tokenizer(PLAIN.backbone, PLAIN.quantizer, 0)
    made = compiled(tokenizer, AHEAD_OF_TIME)
    assert made.quantizer is tokenizer.quantizer
    assert made.decoder[-1] is tokenizer.decoder[-1]
    assert last_layer_of(made.decoder) is last_layer_of(tokenizer.decoder)
    assert list(map(id, made.parameters())) == list(map(id, tokenizer.parameters()))
    names = tokenizer.state_dict().keys()
    assert not any("_orig_mod" in name for name in names)


@pytest.mark.slow
@pytest.mark.parametrize("accumulation", [1, 3])
def test_a_compiled_step_with_balanced_terms_is_that_of_another(
    accumulation: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shares of the gradient, an adaptive weight and penalties take gradients of single terms before their sum's."""
    monkeypatch.setattr(training_step, "compiled", functools.partial(compiled, backend=AHEAD_OF_TIME))
    plain, made = (
        train(
            replace(BALANCED, accumulation=accumulation, compile=is_compiled),
            tmp_path / str(is_compiled),
            device="cpu",
            progress=False,
        )
        for is_compiled in (False, True)
    )
    for column in ("loss", "gan_adaptive_weight", "gradient_share_l2", "loss_gan_own", "gan_r1"):
        values, others = (run.history()[column].tolist() for run in (plain, made))
        assert others == pytest.approx(values, rel=1e-4), column
    weights, others = (run.tokenizer().state_dict() for run in (plain, made))
    for name, weight in weights.items():
        torch.testing.assert_close(others[name], weight, rtol=1e-3, atol=1e-5)


@pytest.mark.gpu
def test_on_a_gpu_balanced_terms_are_compiled_to_nearly_the_same(tmp_path: Path) -> None:
    losses = []
    for is_compiled in (False, True):
        config = replace(BALANCED, compile=is_compiled, precision="32-true")
        run = train(config, tmp_path / str(is_compiled), device="cuda", progress=False)
        losses.append(run.history()["loss"].tolist())
    assert losses[1] == pytest.approx(losses[0], rel=1e-2)
