"""Tests of the discriminator: what a logit sees, and its initial weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lgq_explore.models.discriminator import PatchDiscriminator, smallest_image
from tests.package.process_state import process_untouched


def seeded(layers: int = 3, width: int = 8) -> PatchDiscriminator:
    return PatchDiscriminator(layers, width, torch.Generator().manual_seed(0))


def test_with_three_layers_a_logit_sees_70_pixels_a_side() -> None:
    pictures = torch.zeros(1, 3, 128, 128, requires_grad=True)
    logits = seeded()(pictures)
    assert logits.shape == (1, 1, 14, 14)
    logits[0, 0, 7, 7].backward()
    seen = pictures.grad[0].abs().sum(dim=0)
    assert ((seen.sum(dim=0) > 0).sum().item(), (seen.sum(dim=1) > 0).sum().item()) == (70, 70)


def test_widths_double_up_to_eight_times_the_first() -> None:
    widths = [layer.out_channels for layer in seeded(layers=5, width=4) if isinstance(layer, nn.Conv2d)]
    assert widths == [4, 8, 16, 32, 32, 32, 1]


def test_the_published_one_has_its_number_of_weights() -> None:
    # The 4 × 4 kernels of the PatchGAN of 70 pixels, 64 to 512 maps: 2.76 million.
    kernels = sum(layer.weight.numel() for layer in seeded(width=64) if isinstance(layer, nn.Conv2d))
    assert kernels == 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_the_smallest_picture_has_one_logit_and_a_smaller_one_none(layers: int) -> None:
    side = smallest_image(layers)
    assert seeded(layers)(torch.zeros(1, 3, side, side)).shape == (1, 1, 1, 1)
    with pytest.raises(RuntimeError):
        seeded(layers)(torch.zeros(1, 3, side - 2, side - 2))


def test_logits_of_a_picture_do_not_depend_on_its_batch() -> None:
    pictures = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    discriminator = seeded()
    torch.testing.assert_close(discriminator(pictures)[:1], discriminator(pictures[:1]))


def test_equal_seeds_give_equal_weights_whose_features_keep_their_scale() -> None:
    with process_untouched():
        first, second = seeded(width=32), seeded(width=32)
    for weight, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(weight, other)
    pictures = torch.randn(8, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    features = nn.Sequential(*list(first)[:-1])
    assert 0.3 < features(pictures).square().mean().sqrt().item() < 3
