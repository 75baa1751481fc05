"""Tests that metrics of two processes add up to that of all images."""

from __future__ import annotations

import pytest
import torch

from lgq_explore.errors import InputError
from lgq_explore.metrics import FrechetDistance, ImageQuality, QuantizationError
from lgq_explore.metrics.mean import Mean


def pairs(side: int = 16, count: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(count, 3, side, side, generator=generator)
    return images, (images + 0.05 * torch.randn(images.shape, generator=generator)).clamp(0, 1)


@pytest.mark.parametrize("kind", [ImageQuality, FrechetDistance])
def test_pictures(kind: type[ImageQuality | FrechetDistance]) -> None:
    images, reconstructions = pairs()
    whole, one, other = kind(), kind(), kind()
    whole.update(images, reconstructions)
    one.update(images[4:], reconstructions[4:])
    other.update(images[:4], reconstructions[:4])
    one.merge(other)
    merged, expected = one.numbers(), whole.numbers()
    if kind is FrechetDistance:
        assert merged["fd"]["value"] == pytest.approx(expected["fd"]["value"], rel=1e-3)
        assert expected["fd"]["value"] > 0
    else:
        assert merged == pytest.approx(expected)


def test_an_image_that_was_too_small_for_ssim_stays_so() -> None:
    small, large = ImageQuality(), ImageQuality()
    small.update(*pairs(side=8))
    large.update(*pairs(side=16))
    large.merge(small)
    assert large.numbers()["ssim"] is None


def test_features_of_two_networks_are_not_added() -> None:
    with pytest.raises(InputError, match="one network"):
        FrechetDistance("efficientnet-lite0").merge(FrechetDistance("inception"))


@pytest.mark.parametrize("cut", [1, 20, 49])
def test_latents(cut: int) -> None:
    latents = torch.randn(50, 4, generator=torch.Generator().manual_seed(0)) + 3
    whole, one, other = QuantizationError(), QuantizationError(), QuantizationError()
    whole.update(latents, latents.round())
    one.update(latents[:cut], latents[:cut].round())
    other.update(latents[cut:], latents[cut:].round())
    one.merge(other)
    one.merge(QuantizationError())
    assert one.compute().value == pytest.approx(whole.compute().value, rel=1e-12)
    assert one.compute().tokens == 50


def test_a_mean_of_no_values_is_refused() -> None:
    with pytest.raises(InputError, match="no values"):
        Mean().compute()
