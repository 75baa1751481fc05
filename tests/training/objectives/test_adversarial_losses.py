"""Tests of losses and penalties of a discriminator, by values known by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lgq_explore.training.objectives.adversarial_losses import (
    LeCam,
    hinge,
    hinge_of_generator,
    logistic,
    non_saturating,
    r1_penalty,
)

REAL, MADE = torch.tensor([2.0, 0.5, -1.0]), torch.tensor([-2.0, 0.0, 0.5])


def test_hinge_losses_of_given_logits() -> None:
    assert hinge(REAL, MADE).item() == pytest.approx((0 + 0.5 + 2) / 6 + (0 + 1 + 1.5) / 6)
    assert hinge_of_generator(MADE).item() == pytest.approx(0.5)


def test_hinge_leaves_alone_what_is_told_apart_by_the_margin() -> None:
    logits = [torch.tensor([1.5, 7.0], requires_grad=True), torch.tensor([-1.5, -7.0], requires_grad=True)]
    hinge(*logits).backward()
    assert all(torch.equal(each.grad, torch.zeros(2)) for each in logits)


def test_logistic_losses_of_given_logits_are_cross_entropies() -> None:
    assert logistic(torch.zeros(3), torch.zeros(3)).item() == pytest.approx(math.log(2))
    entropy = functional.binary_cross_entropy_with_logits
    expected = (entropy(REAL, torch.ones(3)) + entropy(MADE, torch.zeros(3))) / 2
    assert logistic(REAL, MADE).item() == pytest.approx(expected.item())
    assert non_saturating(MADE).item() == pytest.approx(entropy(MADE, torch.ones(3)).item())


def test_the_non_saturating_gradient_does_not_vanish_where_the_discriminator_is_sure() -> None:
    logit = torch.tensor([-20.0], requires_grad=True)
    non_saturating(logit).backward()
    assert logit.grad.item() == pytest.approx(-1)


def test_r1_of_a_linear_discriminator_is_half_its_squared_norm() -> None:
    weights = torch.tensor([3.0, -4.0, 0.5], dtype=torch.float64, requires_grad=True)

    def linear(images: Tensor) -> Tensor:
        return images.flatten(1) @ weights.repeat_interleave(images[0, 0].numel())[:, None]

    images = torch.randn(5, 3, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    penalty = r1_penalty(linear, images)
    squared = 4 * (9 + 16 + 0.25)
    assert penalty.item() == pytest.approx(squared / 2)
    (slope,) = torch.autograd.grad(penalty, weights)
    torch.testing.assert_close(slope, 4 * weights)


def test_r1_is_of_each_image_and_of_the_mean_of_its_logits() -> None:
    # D = mean over four patches of x² has the slope x / 2 in each of the values, so ½ |∇D|² = |x|² / 8.
    images = torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1, 1).expand(3, 1, 2, 2)
    assert r1_penalty(torch.square, images).item() == pytest.approx((4 + 16 + 36) / 3 / 8)


def test_lecam_of_given_logits() -> None:
    lecam = LeCam(decay=0.9)
    real, made = torch.tensor([1.0, 3.0]), torch.tensor([-1.0, 0.0])
    # The averages begin as the first batch's own means: 2 and −½.
    first = lecam(real, made)
    assert first.item() == pytest.approx((1.5**2 + 3.5**2) / 2 + (3.0**2 + 2.0**2) / 2)
    second = lecam(real + 1, made - 1)
    assert second.item() == pytest.approx((2.5**2 + 4.5**2) / 2 + (4.0**2 + 3.0**2) / 2)
    assert lecam.averages.tolist() == pytest.approx([0.9 * 2 + 0.1 * 3, 0.9 * -0.5 + 0.1 * -1.5])


def test_lecam_pulls_logits_to_the_averages_and_gives_these_no_gradient() -> None:
    lecam = LeCam(decay=0.9)
    real, made = torch.tensor([2.0], requires_grad=True), torch.tensor([-2.0], requires_grad=True)
    lecam(real, made).backward()
    assert (real.grad.item(), made.grad.item()) == (8, -8)
    assert not lecam.averages.requires_grad
    assert isinstance(lecam, nn.Module)
