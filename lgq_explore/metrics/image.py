"""PSNR, SSIM and L1 of reconstructions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from lgq_explore.errors import InputError

from .definition import Definition
from .picture_settings import PictureMetricSettings

PSNR_CAP_DB = 100.0
"""Upper bound on the PSNR of an image, since that of equal images is infinite and would make any mean infinite.
A single 8-bit step in one value of 256 × 256 pixels is 101 dB, so no result of a decoder is affected."""

SSIM_WINDOW = 11
"""Side of the SSIM window in pixels; its Gaussian weights have standard deviation 1.5 pixels."""


@dataclass(frozen=True)
class ImageQualityResult:
    """The result of `ImageQuality`: means over the images.

    `ssim` is None if an image is smaller than the SSIM window.
    """

    psnr_db: float
    ssim: float | None
    l1: float
    images: int


class ImageQuality:
    """PSNR, SSIM and L1 of reconstructions against images in [0, 1], accumulated over batches.

        PSNR = 10 log10(1 / mean (x − x̂)²)   in dB, of each image, then averaged; at most `PSNR_CAP_DB`
        SSIM = mean over channels and windows of each image, then averaged (Wang et al. 2004): 11 × 11
               Gaussian windows, σ = 1.5, K1 = 0.01, K2 = 0.03, data range 1, wholly inside the image
        L1   = mean |x − x̂|, of each image, then averaged; in units of the data range. The training loss `l1` is of
               values in [−1, 1], and twice as large

    The SSIM map is torchmetrics'. Its own mean also counts windows that reach over the mirrored border;
    leaving those out is what the paper and scikit-image (gaussian_weights=True, use_sample_covariance=False)
    do, and on 32-pixel images the border would be half of the map.
    """

    definition: ClassVar[Definition] = Definition(
        summary="PSNR, SSIM and L1 of reconstructions",
        keys=("psnr_db", "ssim", "l1"),
        formula="`psnr_db` = 10 log10(1 / mean (x − x̂)²) of each image, then averaged, at most 100. `ssim`: 11 × 11 "
        "Gaussian windows, σ = 1.5, wholly inside the image, averaged. `l1` = mean |x − x̂|. x in [0, 1], from 8 bits.",
        unit="dB; none; the data range",
        bias="None. The mean of PSNRs is above the PSNR of the mean error.",
        cost="Milliseconds an image.",
        source="Wang et al. 2004 for SSIM; computed with torchmetrics, and equal to scikit-image's.",
    )

    @classmethod
    def of(cls, settings: PictureMetricSettings) -> Self:
        return cls()

    def __init__(self) -> None:
        self._images = 0
        self._psnr_db = 0.0
        self._ssim: float | None = 0.0  # None once an image was too small
        self._l1 = 0.0

    @torch.no_grad()
    def update(self, images: Tensor, reconstructions: Tensor) -> None:
        """Add a batch: two float tensors [B, 3, H, W] in [0, 1], on any device.

        Raises:
            InputError: shapes that differ or are not those of images, or values outside [0, 1] or not finite.
        """
        check_image_pair(images, reconstructions)
        if len(images) == 0:
            return
        self._images += len(images)
        self._psnr_db += psnr_db(images, reconstructions).sum().item()
        self._l1 += (images.double() - reconstructions.double()).abs().mean(dim=(1, 2, 3)).sum().item()
        if min(images.shape[-2:]) < SSIM_WINDOW:
            self._ssim = None
        elif self._ssim is not None:
            self._ssim += _ssim_per_image(images, reconstructions).sum().item()

    def merge(self, other: Self) -> None:
        """Add the images of another instance."""
        self._images += other._images
        self._psnr_db += other._psnr_db
        self._l1 += other._l1
        both = self._ssim is not None and other._ssim is not None
        self._ssim = (self._ssim or 0.0) + (other._ssim or 0.0) if both else None

    def compute(self) -> ImageQualityResult:
        """The means over all images so far.

        Raises:
            InputError: before the first image.
        """
        if self._images == 0:
            raise InputError("the quality of no images is undefined: update with at least one batch")
        return ImageQualityResult(
            psnr_db=self._psnr_db / self._images,
            ssim=None if self._ssim is None else self._ssim / self._images,
            l1=self._l1 / self._images,
            images=self._images,
        )

    def numbers(self) -> dict[str, Any]:
        """`psnr_db`, `ssim` and `l1`, the means over all images so far."""
        result = self.compute()
        return {"psnr_db": result.psnr_db, "ssim": result.ssim, "l1": result.l1}


def psnr_db(images: Tensor, reconstructions: Tensor) -> Tensor:
    """PSNR of each image in dB, float64 [B]: 10 log10(1 / mean (x − x̂)²), at most `PSNR_CAP_DB`.

    images, reconstructions: float [B, 3, H, W] in [0, 1]; InputError for anything else.
    """
    # Imported here: importing torchmetrics takes seconds, and the training loop does not need it.
    from torchmetrics.functional.image import peak_signal_noise_ratio

    check_image_pair(images, reconstructions)
    values = peak_signal_noise_ratio(
        reconstructions.double(), images.double(), data_range=1.0, reduction="none", dim=(1, 2, 3)
    )
    return values.clamp(max=PSNR_CAP_DB)


def check_image_pair(images: Tensor, reconstructions: Tensor) -> None:
    """Check that two batches are RGB images of one shape: float [B, 3, H, W] in [0, 1].

    Raises:
        InputError: a wrong shape, type or value, which it names.
    """
    if images.ndim != 4 or images.shape[1] != 3 or images.shape != reconstructions.shape:
        raise InputError(
            f"images have shape {list(images.shape)} and reconstructions {list(reconstructions.shape)}: "
            "give two tensors of one shape [B, 3, H, W]"
        )
    for name, batch in (("images", images), ("reconstructions", reconstructions)):
        if not batch.is_floating_point():
            raise InputError(f"{name} are {batch.dtype}: give floats in [0, 1]")
        if batch.numel() == 0:
            continue
        low, high = (bound.item() for bound in batch.aminmax())
        # Written so that NaN fails, too.
        if not (low >= 0 and high <= 1):
            raise InputError(f"{name} reach from {low:g} to {high:g}: give finite floats in [0, 1]")


def _ssim_per_image(images: Tensor, reconstructions: Tensor) -> Tensor:
    """SSIM of each image, float64 [B]."""
    from torchmetrics.functional.image import structural_similarity_index_measure

    # Not under autocast: variances are differences of window sums, which need float32.
    with torch.autocast(images.device.type, enabled=False):
        _, ssim_map = structural_similarity_index_measure(
            reconstructions.float(),
            images.float(),
            gaussian_kernel=True,
            kernel_size=SSIM_WINDOW,
            sigma=1.5,
            data_range=1.0,
            reduction="none",
            return_full_image=True,
        )
    border = SSIM_WINDOW // 2
    return ssim_map[..., border:-border, border:-border].double().mean(dim=(1, 2, 3))
