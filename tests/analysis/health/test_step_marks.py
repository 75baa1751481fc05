"""Are the GAN's start, its ramp's end and the decoder's finish counted in optimiser steps, as training counts them?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lgq_explore.analysis.health import step_marks
from lgq_explore.errors import InputError
from lgq_explore.runs.config import TrainConfig
from lgq_explore.training.objectives.gan import GAN
from tests.analysis.planted_runs import HEALTHY


def recipe(weight: float = 0.1, **settings: Any) -> TrainConfig:
    return replace(
        HEALTHY,
        loss_weights={**HEALTHY.loss_weights, "gan": weight},
        objectives={"gan": {"layers": 1, "width": 1, **settings}},
    )


def marked(config: TrainConfig | None) -> dict[str, int]:
    marks = step_marks(config)
    return dict(zip(marks["mark"], marks["step"], strict=True))


@pytest.mark.parametrize(("start", "ramp"), [(0, 0), (6, 0), (6, 1), (6, 2), (6, 5)])
def test_the_weight_rises_from_the_first_mark_to_the_second(start: int, ramp: int) -> None:
    config = recipe(start_step=start, ramp_steps=ramp)
    term = GAN("gan", 0.1, GAN.Settings(**config.objectives["gan"]), config)
    marks = marked(config)
    assert term.weight_at(marks["GAN starts"]) > 0, "the step after so many finished ones"
    assert marks["GAN starts"] == 0 or term.weight_at(marks["GAN starts"] - 1) == 0
    full = marks.get("GAN in full", start + 1)
    assert term.weight_at(full - 1) == 0.1, "the last of so many finished ones"
    assert term.weight_at(full - 2) < 0.1 or full == start + 1
    assert ("GAN in full" in marks) == (ramp > 1)


def test_micro_batches_are_not_steps() -> None:
    config = recipe(start_step=20, ramp_steps=10)
    assert marked(replace(config, accumulation=4)) == {"GAN starts": 20, "GAN in full": 30} == marked(config)


def test_the_decoder_is_trained_alone_from_its_mark_on() -> None:
    config = replace(recipe(start_step=6), decoder_finish=0.25, steps=80)
    assert marked(config) == {"GAN starts": 6, "decoder alone": 60}
    assert config.annealing_progress(59) == 1 > config.annealing_progress(58)


def test_what_has_no_gan_has_no_marks() -> None:
    assert marked(HEALTHY) == marked(recipe(weight=0.0)) == marked(None) == {}


def test_a_setting_that_can_not_be_used_is_named() -> None:
    with pytest.raises(InputError, match=r"unknown field 'objectives\.gan\.start'"):
        step_marks(recipe(start=3))
