"""Tests of the forms of L_usage against their definitions."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lgq_explore.quantizers import LGQConfig, SoftAssignment
from lgq_explore.quantizers.usage_regularizers import usage_regularizers

SIZE = 6


def assignment_with(responsibilities: Tensor) -> SoftAssignment:
    """Of responsibilities [N, K] that are given."""
    nothing, codes = torch.zeros(len(responsibilities)), responsibilities.argmax(1)
    squares = responsibilities.square().sum(1)
    return SoftAssignment(nothing[:, None], nothing, squares, responsibilities.mean(0), codes)


def test_even_usage_is_the_least_and_one_code_the_most_of_each_form() -> None:
    even = usage_regularizers(assignment_with(torch.full((4, SIZE), 1 / SIZE, dtype=torch.float64)))
    one = usage_regularizers(assignment_with(torch.eye(SIZE, dtype=torch.float64)[[0, 0, 0]]))
    assert even["published"].item() == pytest.approx(1)
    assert even["kl"].item() == pytest.approx(0, abs=1e-12)
    assert one["published"].item() == pytest.approx(SIZE)
    assert one["unbiased"].item() == pytest.approx(SIZE)
    assert one["kl"].item() == pytest.approx(math.log(SIZE))


def test_the_divergence_is_that_of_the_mean_from_even_usage() -> None:
    responsibilities = torch.rand(5, SIZE, dtype=torch.float64).softmax(1)
    uniform = torch.full((SIZE,), 1 / SIZE, dtype=torch.float64)
    expected = torch.distributions.kl_divergence(
        torch.distributions.Categorical(responsibilities.mean(0)), torch.distributions.Categorical(uniform)
    )
    assert usage_regularizers(assignment_with(responsibilities))["kl"].item() == pytest.approx(expected.item())


def test_near_even_usage_the_divergence_is_half_the_excess_of_the_published_form() -> None:
    responsibilities = (1e-3 * torch.randn(1, SIZE, dtype=torch.float64)).softmax(1)
    forms = usage_regularizers(assignment_with(responsibilities))
    assert forms["kl"].item() == pytest.approx((forms["published"].item() - 1) / 2, rel=0.01)


@pytest.mark.parametrize("form", ["published", "kl"])
def test_descent_spreads_the_usage(form: str) -> None:
    """From two codes that take nearly everything, the gradient lowers the loss until all are used alike."""
    logits = torch.tensor([3.0, 2.0, 0, 0, 0, 0], dtype=torch.float64).repeat(4, 1).requires_grad_()
    for _ in range(2000):
        (gradient,) = torch.autograd.grad(usage_regularizers(assignment_with(logits.softmax(1)))[form], logits)
        logits = (logits - 0.5 * gradient).detach().requires_grad_()
    assert logits.softmax(1).max() < 1 / SIZE + 0.02


def test_the_divergence_is_reported_where_it_is_optimised() -> None:
    latents = torch.randn(2, 5, 4, 4, dtype=torch.float64)
    plain, diverging = (
        LGQConfig(16, norm="none", usage_form=form).build(5).double()(latents) for form in ("published", "kl")
    )
    assert "usage_kl" not in plain.diagnostics
    assert diverging.losses["usage"].item() == diverging.diagnostics["usage_kl"].item()
