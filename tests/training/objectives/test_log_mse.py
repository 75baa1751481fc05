"""Tests of half the logarithm of the mean squared error."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from lgq_explore.runs.config import TrainConfig
from lgq_explore.training.objectives.l2 import L2
from lgq_explore.training.objectives.log_mse import LogMSE
from tests.training.objectives.test_of_recipe import made

TERM = LogMSE("log_mse", 1.0, LogMSE.Settings(), TrainConfig())
SQUARED = L2("l2", 1.0, L2.Settings(), TrainConfig())


def test_a_sixth_of_the_values_0_6_off_is_half_the_log_of_0_06() -> None:
    assert TERM.loss(made()).item() == pytest.approx(math.log(0.06) / 2)


def test_it_is_the_least_negative_log_likelihood_of_a_gaussian_decoder() -> None:
    """½ log v + e/(2v) is least at v = e, the mean squared error, where it is ½ log e + ½."""
    error = SQUARED.loss(made()).item()
    likelihoods = [math.log(v) / 2 + error / (2 * v) for v in (0.5 * error, 0.99 * error, error, 1.01 * error)]
    assert min(likelihoods) == pytest.approx(TERM.loss(made()).item() + 0.5)
    assert likelihoods.index(min(likelihoods)) == 2


def test_its_gradient_is_that_of_the_error_over_twice_the_error() -> None:
    training_pass = made()
    reconstruction = training_pass.output.reconstruction.detach().requires_grad_()
    training_pass = replace(training_pass, output=replace(training_pass.output, reconstruction=reconstruction))
    (steep,) = torch.autograd.grad(TERM.loss(training_pass), reconstruction)
    squared = SQUARED.loss(training_pass)
    (plain,) = torch.autograd.grad(squared, reconstruction)
    torch.testing.assert_close(steep, plain / (2 * squared.item()))


def test_it_is_taken_in_float32_and_finite_where_nothing_is_wrong() -> None:
    training_pass = made(dtype=torch.bfloat16)
    assert TERM.loss(training_pass).dtype == torch.float32
    same = replace(training_pass, output=replace(training_pass.output, reconstruction=training_pass.images))
    assert TERM.loss(same).isfinite()
