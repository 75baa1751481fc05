"""Tests of the mean squared error of the reconstruction."""

from __future__ import annotations

import pytest
import torch

from lgq_explore.images.ranges import to_unit_range
from lgq_explore.metrics import ImageQuality
from lgq_explore.runs.config import TrainConfig
from lgq_explore.training.objectives.l2 import L2
from tests.training.objectives.test_of_recipe import made

TERM = L2("l2", 1.0, L2.Settings(), TrainConfig())


def test_a_sixth_of_the_values_0_6_off_is_0_06() -> None:
    assert TERM.loss(made()).item() == pytest.approx(0.36 / 6)


def test_it_is_taken_in_float32() -> None:
    assert TERM.loss(made(dtype=torch.bfloat16)).dtype == torch.float32


def test_it_is_four_times_the_error_that_psnr_is_computed_from() -> None:
    training_pass, evaluated = made(), ImageQuality()
    evaluated.update(to_unit_range(training_pass.images), to_unit_range(training_pass.output.reconstruction))
    of_batch = TERM.loss(made()).item() / 4
    # PSNR is averaged over images: one of the two has all the error, the other has none.
    assert of_batch == pytest.approx(0.5 * (0.3**2 / 3), rel=1e-6)
