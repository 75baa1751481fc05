"""Tests of the error in luminance and in colour: known answers, and scikit-image's YCbCr."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from skimage.color import rgb2ycbcr
from torch import Tensor

from lgq_explore.errors import InputError
from lgq_explore.metrics.colour import ColourError, ColourErrorResult


def colour(images: Tensor, reconstructions: Tensor, batch_size: int = 100) -> ColourErrorResult:
    metric = ColourError()
    for batch, reconstruction in zip(images.split(batch_size), reconstructions.split(batch_size), strict=True):
        metric.update(batch, reconstruction)
    return metric.compute()


def noise(count: int = 5, side: int = 16) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(count, 3, side, side, generator=generator)
    return images, (images + 0.1 * torch.randn(images.shape, generator=generator)).clamp(0, 1)


def test_it_agrees_with_scikit_image() -> None:
    images, reconstructions = noise()
    result = colour(images, reconstructions)
    told, made = (rgb2ycbcr(batch.double().numpy(), channel_axis=1) for batch in (images, reconstructions))
    luminance = ((told[:, 0] - made[:, 0]) / 219) ** 2  # 8-bit studio levels, 16 to 235
    assert result.luminance_psnr_db == pytest.approx((-10 * np.log10(luminance.mean(axis=(1, 2)))).mean(), rel=1e-6)
    spread = told[:, 1:].var(axis=(0, 2, 3)).sum()
    assert result.colour_error == pytest.approx(((told - made)[:, 1:] ** 2).sum(axis=1).mean() / spread, rel=1e-6)
    assert result.images == 5


def test_one_colour_for_all_pixels_has_an_error_of_one() -> None:
    images, _ = noise()
    luminance = (images * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(dim=1, keepdim=True)
    middle = 0.3 + 0.4 * images  # the mean colour plus the luminance of each pixel stays in [0, 1]
    luminance = 0.3 + 0.4 * luminance
    shift = (middle - luminance).mean(dim=(0, 2, 3), keepdim=True)
    result = colour(middle, luminance + shift)
    assert result.colour_error == pytest.approx(1, rel=1e-5)
    assert result.luminance_psnr_db > 90  # its luminance is right


def test_equal_pictures_have_none() -> None:
    images, _ = noise()
    assert colour(images, images) == ColourErrorResult(100.0, 0.0, 5)


def test_a_wrong_brightness_is_no_error_in_colour() -> None:
    images = 0.2 + 0.5 * noise()[0]
    result = colour(images, images + 0.1)
    assert result.luminance_psnr_db == pytest.approx(20, abs=1e-4)
    assert result.colour_error == pytest.approx(0, abs=1e-9)


def test_grey_pictures_have_no_error_in_colour() -> None:
    grey = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0)).expand(-1, 3, -1, -1)
    result = colour(grey, grey.roll(1, dims=-1))
    assert result.colour_error is None
    assert math.isfinite(result.luminance_psnr_db)


def test_batches_order_and_processes_change_nothing() -> None:
    images, reconstructions = noise()
    whole = colour(images, reconstructions)
    cut = colour(images.flip(0), reconstructions.flip(0), batch_size=2)
    parts = [ColourError(), ColourError()]
    for part, chosen in zip(parts, (slice(0, 2), slice(2, 5)), strict=True):
        part.update(images[chosen], reconstructions[chosen])
    parts[0].merge(parts[1])
    for other in (cut, parts[0].compute()):
        assert other.luminance_psnr_db == pytest.approx(whole.luminance_psnr_db, rel=1e-12)
        assert other.colour_error == pytest.approx(whole.colour_error, rel=1e-9)


def test_nothing_to_measure_is_refused() -> None:
    with pytest.raises(InputError, match="no images"):
        ColourError().compute()
    with pytest.raises(InputError):
        ColourError().update(torch.rand(1, 3, 8, 8), torch.rand(1, 3, 9, 9))
