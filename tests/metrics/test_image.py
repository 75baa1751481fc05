"""Tests of PSNR, SSIM and L1 against scikit-image and their formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
import skimage.data
import skimage.metrics
import torch
from torch import Tensor

from lgq_explore.metrics.image import PSNR_CAP_DB, ImageQuality, ImageQualityResult


def crops(side: int, count: int = 4) -> Tensor:
    """Real photographs, [count, 3, side, side] in [0, 1]."""
    photograph = torch.from_numpy(skimage.data.astronaut().copy()).permute(2, 0, 1).float() / 255
    return torch.stack([photograph[:, 60 * i : 60 * i + side, 80 * i : 80 * i + side] for i in range(count)])


def noisy(images: Tensor, strength: float, seed: int = 0) -> Tensor:
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(seed))
    return (images + strength * noise).clamp(0, 1)


def quality(images: Tensor, reconstructions: Tensor, batch_size: int = 64) -> ImageQualityResult:
    metric = ImageQuality()
    for batch, reconstruction in zip(images.split(batch_size), reconstructions.split(batch_size), strict=True):
        metric.update(batch, reconstruction)
    return metric.compute()


@pytest.mark.parametrize("side", [11, 32, 64])
@pytest.mark.parametrize("strength", [0.01, 0.2])
def test_agrees_with_scikit_image(side: int, strength: float) -> None:
    images = crops(side)
    reconstructions = noisy(images, strength)
    psnrs, ssims = [], []
    for image, reconstruction in zip(images.double().numpy(), reconstructions.double().numpy(), strict=True):
        psnrs.append(skimage.metrics.peak_signal_noise_ratio(image, reconstruction, data_range=1))
        ssims.append(
            skimage.metrics.structural_similarity(
                image,
                reconstruction,
                data_range=1,
                channel_axis=0,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
        )
    result = quality(images, reconstructions)
    assert result.psnr_db == pytest.approx(np.mean(psnrs), abs=1e-4)
    assert result.ssim == pytest.approx(np.mean(ssims), abs=1e-4)
    assert result.l1 == pytest.approx((images - reconstructions).abs().mean().item(), rel=1e-5)
    assert result.images == 4


def test_psnr_is_averaged_over_images_not_over_their_errors() -> None:
    images = torch.zeros(2, 3, 16, 16)
    reconstructions = torch.stack([torch.full((3, 16, 16), 0.1), torch.full((3, 16, 16), 0.01)])
    assert quality(images, reconstructions).psnr_db == pytest.approx((20 + 40) / 2, abs=1e-4)


def test_equal_images_are_capped_not_infinite() -> None:
    images = crops(32)
    result = quality(images, images)
    assert result.psnr_db == PSNR_CAP_DB
    assert result.ssim == pytest.approx(1, abs=1e-6)
    assert result.l1 == 0
    mixed = quality(images[:2], torch.stack([images[0], (images[1] - 0.1).abs()]))
    assert math.isfinite(mixed.psnr_db)


def test_does_not_depend_on_how_batches_were_cut() -> None:
    images = crops(32)
    reconstructions = noisy(images, 0.1)
    whole = quality(images, reconstructions)
    for batch_size in (1, 3):
        split = quality(images, reconstructions, batch_size)
        assert split.psnr_db == pytest.approx(whole.psnr_db, rel=1e-9)
        assert split.ssim == pytest.approx(whole.ssim, abs=1e-6)
        assert split.l1 == pytest.approx(whole.l1, rel=1e-9)


def test_worse_reconstructions_score_worse() -> None:
    images = crops(32)
    better, worse = quality(images, noisy(images, 0.02)), quality(images, noisy(images, 0.1))
    assert better.ssim is not None
    assert worse.ssim is not None
    assert better.psnr_db > worse.psnr_db
    assert better.ssim > worse.ssim
    assert better.l1 < worse.l1


def test_half_precision_and_autocast_change_little() -> None:
    images = crops(32)
    reconstructions = noisy(images, 0.02)
    exact = quality(images, reconstructions)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert quality(images, reconstructions) == exact
    assert quality(images.half(), reconstructions.half()).ssim == pytest.approx(exact.ssim, abs=1e-3)


def test_images_below_the_window_have_no_ssim_and_leave_later_ones_without() -> None:
    gathered = ImageQuality()
    for side in (8, 32):
        images = crops(side)
        gathered.update(images, noisy(images, 0.1))
        assert gathered.compute().ssim is None
        assert math.isfinite(gathered.compute().psnr_db)


@pytest.mark.parametrize(
    ("images", "reconstructions", "complaint"),
    [
        (torch.zeros(2, 3, 16, 16), torch.zeros(2, 3, 16, 8), r"\[2, 3, 16, 8\]"),
        (torch.zeros(2, 1, 16, 16), torch.zeros(2, 1, 16, 16), r"\[2, 1, 16, 16\]"),
        (torch.zeros(3, 16, 16), torch.zeros(3, 16, 16), r"\[3, 16, 16\]"),
        (torch.zeros(1, 3, 16, 16, dtype=torch.uint8), torch.zeros(1, 3, 16, 16), "images are torch.uint8"),
        (torch.zeros(1, 3, 16, 16), torch.full((1, 3, 16, 16), -1.0), "reconstructions reach from -1"),
        (torch.full((1, 3, 16, 16), 1.5), torch.zeros(1, 3, 16, 16), "images reach from 1.5"),
        (torch.zeros(1, 3, 16, 16), torch.full((1, 3, 16, 16), math.nan), "reconstructions reach from nan"),
    ],
)
def test_what_is_no_pair_of_images_is_refused(images: Tensor, reconstructions: Tensor, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        ImageQuality().update(images, reconstructions)


def test_no_images_have_no_quality() -> None:
    metric = ImageQuality()
    metric.update(torch.zeros(0, 3, 16, 16), torch.zeros(0, 3, 16, 16))
    with pytest.raises(ValueError, match="no images"):
        metric.compute()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_the_same_numbers() -> None:
    images = crops(32)
    reconstructions = noisy(images, 0.05)
    here, there = quality(images, reconstructions), quality(images.cuda(), reconstructions.cuda())
    assert there.psnr_db == pytest.approx(here.psnr_db, abs=1e-4)
    assert there.ssim == pytest.approx(here.ssim, abs=1e-4)
