"""Tests of the error by bands of frequency: Parseval, waves of known frequency, and scikit-image's error."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from skimage.metrics import mean_squared_error
from torch import Tensor

from lgq_explore.errors import InputError
from lgq_explore.metrics.spectrum import BAND_EDGES, BANDS, ErrorSpectrum, ErrorSpectrumResult


def spectrum(images: Tensor, reconstructions: Tensor, batch_size: int = 100) -> ErrorSpectrumResult:
    metric = ErrorSpectrum()
    for batch, reconstruction in zip(images.split(batch_size), reconstructions.split(batch_size), strict=True):
        metric.update(batch, reconstruction)
    return metric.compute()


def noise(side: int, count: int = 5, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(count, 3, side, side, generator=generator)
    return images, (images + 0.1 * torch.randn(images.shape, generator=generator)).clamp(0, 1)


def wave(rows: int, columns: int, side: int = 64) -> Tensor:
    """[1, 3, side, side] around ½, with that many periods along the rows and columns."""
    place = torch.arange(side) / side
    return (0.5 + 0.2 * torch.cos(2 * math.pi * (rows * place[:, None] + columns * place[None]))).expand(1, 3, -1, -1)


@pytest.mark.parametrize("side", [16, 33, 64])
def test_the_bands_sum_to_the_mean_squared_error(side: int) -> None:
    images, reconstructions = noise(side)
    result = spectrum(images, reconstructions)
    expected = np.mean(
        [
            mean_squared_error(*pair)
            for pair in zip(images.double().numpy(), reconstructions.double().numpy(), strict=True)
        ]
    )
    assert result.mse == pytest.approx(expected, rel=1e-12)
    assert sum(result.error) == pytest.approx(expected, rel=1e-12)
    assert sum(result.pictures) == pytest.approx(images.double().square().mean().item(), rel=1e-12)
    assert result.images == 5


@pytest.mark.parametrize(("rows", "columns"), [(1, 0), (0, 3), (4, 0), (3, 4), (10, 0), (20, 20), (32, 32)])
def test_a_wave_is_in_the_band_of_its_frequency(rows: int, columns: int) -> None:
    flat = torch.full((1, 3, 64, 64), 0.5)
    result = spectrum(flat, wave(rows, columns))
    band = int(np.searchsorted(BAND_EDGES, math.hypot(rows, columns) / 64, side="right"))
    others = [power for index, power in enumerate(result.error) if index != band]
    assert result.error[band] == pytest.approx(result.mse, rel=1e-6)
    assert result.mse > 0
    assert others == pytest.approx([0] * 4, abs=1e-12)


def test_a_wrong_mean_is_in_the_lowest_band() -> None:
    flat = torch.full((2, 3, 32, 32), 0.5)
    result = spectrum(flat, flat + 0.25)
    assert result.error[0] == pytest.approx(1 / 16)
    assert sum(result.error[1:]) == pytest.approx(0, abs=1e-12)


def test_white_noise_has_as_much_in_a_band_as_the_band_has_frequencies() -> None:
    rows, columns = np.meshgrid(np.fft.fftfreq(32), np.fft.fftfreq(32))
    band = np.searchsorted(BAND_EDGES, np.hypot(rows, columns), side="right")
    share = np.bincount(band.ravel(), minlength=5) / 32**2
    flat = torch.full((400, 3, 32, 32), 0.5)
    error = 0.02 * torch.randn(flat.shape, generator=torch.Generator().manual_seed(0))
    result = spectrum(flat, flat + error)
    assert np.array(result.error) / result.mse == pytest.approx(share, abs=0.01)


def test_batches_order_and_processes_change_nothing() -> None:
    images, reconstructions = noise(24)
    whole = spectrum(images, reconstructions)
    cut = spectrum(images.flip(0), reconstructions.flip(0), batch_size=2)
    one, other = ErrorSpectrum(), ErrorSpectrum()
    one.update(images[:2], reconstructions[:2])
    other.update(images[2:], reconstructions[2:])
    one.merge(other)
    for result in (cut, one.compute()):
        assert result.error == pytest.approx(whole.error, rel=1e-12)
        assert result.pictures == pytest.approx(whole.pictures, rel=1e-12)
        assert result.mse == pytest.approx(whole.mse, rel=1e-12)


def test_numbers_are_by_band_and_a_band_without_power_has_no_relative_error() -> None:
    metric = ErrorSpectrum()
    black = torch.zeros(1, 3, 16, 16)
    metric.update(black, black + 0.5)
    numbers = metric.numbers()
    assert tuple(numbers) == metric.definition.keys
    assert tuple(numbers["error_bands"]) == BANDS
    assert BANDS[0] == "0-0.03125"
    assert numbers["relative_error_bands"] == dict.fromkeys(BANDS)


def test_no_images_have_no_error() -> None:
    with pytest.raises(InputError, match="no images"):
        ErrorSpectrum().compute()
