"""The squared error of reconstructions by spatial frequency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from lgq_explore.errors import InputError

from .definition import Definition
from .image import check_image_pair
from .picture_settings import PictureMetricSettings

BAND_EDGES = (1 / 32, 1 / 16, 1 / 8, 1 / 4)
"""Frequencies in cycles per pixel that part bands of an octave; the last band reaches to the corner, √½."""

BANDS = tuple(f"{low:.4g}-{high:.4g}" for low, high in zip((0.0, *BAND_EDGES), (*BAND_EDGES, 0.5**0.5), strict=True))
"""Names of the bands, in cycles per pixel; a frequency at an edge is in the upper one."""


@dataclass(frozen=True)
class ErrorSpectrumResult:
    """error: mean squared error in each of BANDS; they sum to `mse`. pictures: the images' own power there."""

    error: tuple[float, ...]
    pictures: tuple[float, ...]
    mse: float
    images: int


class ErrorSpectrum:
    """Power of the error x̂ − x, and of the images x, by radial bands of frequency, accumulated over batches."""

    definition: ClassVar[Definition] = Definition(
        summary="squared error by bands of spatial frequency, and the share of each band's power that is lost",
        keys=("mse", "error_bands", "relative_error_bands"),
        formula="`error_bands.b` = Σ_{|ν| in band b} |F(x̂ − x)(ν)|² / (H W)², F the discrete Fourier transform of a "
        "channel, averaged over channels and images; they sum to `mse`, by Parseval. `relative_error_bands.b`: over "
        "the same of x. Bands of |ν| in cycles per pixel: " + ", ".join(BANDS) + ".",
        unit="squared data range; none",
        bias="None. Pictures are taken as periodic, which puts jumps at their borders into high frequencies.",
        cost="Milliseconds an image.",
        source="Parseval's theorem; Oppenheim & Schafer, Discrete-Time Signal Processing.",
        on_request=True,
    )

    @classmethod
    def of(cls, settings: PictureMetricSettings) -> Self:
        return cls()

    def __init__(self) -> None:
        self._images, self._squares = 0, 0.0
        self._error, self._pictures = np.zeros(len(BANDS)), np.zeros(len(BANDS))

    @torch.no_grad()
    def update(self, images: Tensor, reconstructions: Tensor) -> None:
        """Add a batch: two float tensors [B, 3, H, W] in [0, 1]. Raises InputError as `ImageQuality.update`."""
        check_image_pair(images, reconstructions)
        images, error = images.double(), reconstructions.double() - images.double()
        self._images += len(images)
        self._squares += error.square().mean(dim=(1, 2, 3)).sum().item()
        self._error += _band_powers(error)
        self._pictures += _band_powers(images)

    def merge(self, other: Self) -> None:
        """Add the images of another instance."""
        self._images += other._images
        self._squares += other._squares
        self._error = self._error + other._error
        self._pictures = self._pictures + other._pictures

    def compute(self) -> ErrorSpectrumResult:
        """Means over all images so far. Raises InputError before the first."""
        if self._images == 0:
            raise InputError("the error of no images is undefined: update with at least one batch")
        return ErrorSpectrumResult(
            error=tuple((self._error / self._images).tolist()),
            pictures=tuple((self._pictures / self._images).tolist()),
            mse=self._squares / self._images,
            images=self._images,
        )

    def numbers(self) -> dict[str, Any]:
        """The keys of the definition; a relative error is None in a band where the images have no power."""
        result = self.compute()
        relative = [
            error / power if power > 0 else None for error, power in zip(result.error, result.pictures, strict=True)
        ]
        return {
            "mse": result.mse,
            "error_bands": dict(zip(BANDS, result.error, strict=True)),
            "relative_error_bands": dict(zip(BANDS, relative, strict=True)),
        }


def _band_powers(values: Tensor) -> np.ndarray:
    """Power of [B, 3, H, W] in each band, summed over images and averaged over channels: float64 [len(BANDS)]."""
    height, width = values.shape[-2:]
    power = torch.fft.fft2(values).abs().square().mean(dim=1).sum(dim=0) / (height * width) ** 2
    rows, columns = (torch.fft.fftfreq(side, dtype=torch.float64) for side in (height, width))
    frequency = (rows.square()[:, None] + columns.square()[None]).sqrt()
    band = torch.bucketize(frequency, torch.tensor(BAND_EDGES, dtype=torch.float64), right=True)
    return torch.zeros(len(BANDS), dtype=torch.float64).index_add_(0, band.flatten(), power.cpu().flatten()).numpy()
