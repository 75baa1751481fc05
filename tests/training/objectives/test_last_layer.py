"""Tests of what is taken from the gradient at the decoder's last layer."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lgq_explore.models import BackboneConfig, Decoder
from lgq_explore.training.objectives.last_layer import (
    adaptive_weight,
    gradient_shares,
    last_layer_of,
    linearised,
)


class TwoLayers:
    """x̂ = a · b · z with z = 3, b = 2 and a = 0.5, in float64; a is the last layer. The image is 1."""

    def __init__(self) -> None:
        self.first, self.last = (torch.tensor([x], dtype=torch.float64, requires_grad=True) for x in (2.0, 0.5))
        self.reconstruction = self.last * (self.first * 3)

    @property
    def squared_error(self) -> Tensor:
        """(3 − 1)², whose slope in a is 2 · 2 · b · z = 24."""
        return (self.reconstruction - 1).square().sum()

    def adversarial(self, slope: float) -> Tensor:
        """−slope · x̂, whose slope in a is −slope · b · z = −6 slope."""
        return -slope * self.reconstruction.sum()


@pytest.mark.parametrize(
    ("slope", "expected"), [(0.5, 24 / (3 + 1e-4)), (8, 24 / (48 + 1e-4)), (0.0, 1e4), (1e-5, 1e4)]
)
def test_the_adaptive_weight_of_two_layers_by_hand(slope: float, expected: float) -> None:
    decoder = TwoLayers()
    found = adaptive_weight(decoder.squared_error, decoder.adversarial(slope), decoder.last)
    assert found.item() == pytest.approx(expected, rel=1e-12)
    assert not found.requires_grad


def test_the_graph_stays_and_no_gradient_is_left_at_the_weights() -> None:
    decoder = TwoLayers()
    loss, against = decoder.squared_error, decoder.adversarial(1.0)
    factor = adaptive_weight(loss, against, decoder.last)
    assert decoder.last.grad is None
    (loss + factor * against).backward()
    assert decoder.last.grad.item() == pytest.approx(24 - factor.item() * 6, rel=1e-12)


def test_shares_of_the_gradient_add_up_to_1() -> None:
    decoder = TwoLayers()
    found = gradient_shares({"l2": decoder.squared_error, "gan": decoder.adversarial(2.0)}, decoder.last)
    assert {name: share.item() for name, share in found.items()} == pytest.approx({"l2": 24 / 36, "gan": 12 / 36})


def test_a_linearised_loss_has_the_same_value_and_gradients() -> None:
    gradients = []
    for is_linear in (False, True):
        decoder = TwoLayers()
        loss = decoder.squared_error
        loss = linearised(loss, decoder.reconstruction) if is_linear else loss
        assert loss.item() == 4
        gradients.append(torch.autograd.grad(loss, [decoder.first, decoder.last]))
    assert gradients[0] == gradients[1]


def test_the_last_layer_of_the_decoder_makes_the_three_colours() -> None:
    decoder = Decoder(BackboneConfig((8, 16, 16), dim=4))
    assert last_layer_of(decoder) is decoder[-1].weight
    wrapped = nn.Sequential(decoder)
    assert last_layer_of(wrapped).shape == (3, 8, 3, 3)


def test_the_adaptive_weight_of_a_decoder_of_convolutions_is_that_of_two_backward_passes() -> None:
    decoder = nn.Sequential(nn.Conv2d(4, 8, 3, padding=1), nn.SiLU(), nn.Conv2d(8, 3, 3, padding=1)).double()
    latents, images = torch.randn(2, 4, 6, 6, dtype=torch.float64), torch.zeros(2, 3, 6, 6, dtype=torch.float64)
    norms = []
    for loss in (functional.l1_loss, lambda made, _: -made.square().mean()):
        decoder.zero_grad()
        loss(decoder(latents), images).backward()
        norms.append(decoder[-1].weight.grad.norm())
    made = decoder(latents)
    parts = [linearised(loss, made) for loss in (functional.l1_loss(made, images), -made.square().mean())]
    found = adaptive_weight(*parts, last_layer_of(decoder))
    torch.testing.assert_close(found, norms[0] / (norms[1] + 1e-4))
