"""Separate errors of reconstructions in luminance and in colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from lgq_explore.errors import InputError

from .definition import Definition
from .image import check_image_pair, psnr_db
from .mean import Mean
from .picture_settings import PictureMetricSettings

LUMINANCE = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in the luminance Y of ITU-R BT.601."""


@dataclass(frozen=True)
class ColourErrorResult:
    """luminance_psnr_db: the mean over images. colour_error: None if all pixels of the images have one colour."""

    luminance_psnr_db: float
    colour_error: float | None
    images: int


class ColourError:
    """PSNR of the luminance, and the squared error of the colour differences, accumulated over batches.

        Y = 0.299 R + 0.587 G + 0.114 B,   Cb = (B − Y) / 1.772,   Cr = (R − Y) / 1.402   (ITU-R BT.601, full range)

        luminance PSNR = 10 log10(1 / mean (Y − Ŷ)²)   in dB, of each image, then averaged; at most 100 (`psnr_db`)
        colour error   = mean [(Cb − Ĉb)² + (Cr − Ĉr)²] / (var Cb + var Cr)   over all pixels of all images

    A decoder that gives every pixel the mean colour has a colour error of 1. Networks learn luminance first, and a
    short training may end before they have found the colours: PSNR over R, G and B then tells such runs apart by
    decibels that have nothing to do with their codes.
    """

    definition: ClassVar[Definition] = Definition(
        summary="PSNR of the luminance, and the error in colour over the variance of colours",
        keys=("luminance_psnr_db", "colour_error"),
        formula="Y = 0.299 R + 0.587 G + 0.114 B, Cb = (B − Y) / 1.772, Cr = (R − Y) / 1.402. `luminance_psnr_db` = "
        "10 log10(1 / mean (Y − Ŷ)²) of each image, then averaged, at most 100. `colour_error` = mean [(Cb − Ĉb)² + "
        "(Cr − Ĉr)²] / (var Cb + var Cr), over all pixels of all images: 1 is what one colour for all of them has.",
        unit="dB; none",
        bias="None. The mean of PSNRs is above the PSNR of the mean error.",
        cost="Milliseconds an image.",
        source="ITU-R Recommendation BT.601.",
    )

    @classmethod
    def of(cls, settings: PictureMetricSettings) -> Self:
        return cls()

    def __init__(self) -> None:
        self._psnr_db = Mean()  # over images
        self._error, self._squares = Mean(), Mean()  # over pixels, of both colour differences together
        self._blue, self._red = Mean(), Mean()
        self._images = 0

    @torch.no_grad()
    def update(self, images: Tensor, reconstructions: Tensor) -> None:
        """Add a batch: two float tensors [B, 3, H, W] in [0, 1]. Raises InputError as `ImageQuality.update`."""
        check_image_pair(images, reconstructions)
        luminance, colours = _luminance_and_colours(images)
        luminance_made, colours_made = _luminance_and_colours(reconstructions)
        self._images += len(images)
        self._psnr_db.update(psnr_db(luminance, luminance_made))
        self._error.update((colours - colours_made).square().sum(dim=1))
        self._squares.update(colours.square().sum(dim=1))
        self._blue.update(colours[:, 0])
        self._red.update(colours[:, 1])

    def merge(self, other: Self) -> None:
        """Add the images of another instance."""
        self._images += other._images
        self._psnr_db.merge(other._psnr_db)
        self._error.merge(other._error)
        self._squares.merge(other._squares)
        self._blue.merge(other._blue)
        self._red.merge(other._red)

    def compute(self) -> ColourErrorResult:
        """Over all images so far. Raises InputError before the first."""
        if self._images == 0:
            raise InputError("the error of no images is undefined: update with at least one batch")
        squares = self._squares.compute()
        variance = squares - self._blue.compute() ** 2 - self._red.compute() ** 2
        has_colours = variance > 1e-12 * max(squares, 1e-12)  # what rounding leaves of one colour is none
        return ColourErrorResult(
            luminance_psnr_db=self._psnr_db.compute(),
            colour_error=self._error.compute() / variance if has_colours else None,
            images=self._images,
        )

    def numbers(self) -> dict[str, Any]:
        """The keys of the definition."""
        result = self.compute()
        return {"luminance_psnr_db": result.luminance_psnr_db, "colour_error": result.colour_error}


def _luminance_and_colours(images: Tensor) -> tuple[Tensor, Tensor]:
    """Y as a grey picture [B, 3, H, W], and Cb and Cr, [B, 2, H, W], of [B, 3, H, W], in float64."""
    red, green, blue = images.double().unbind(dim=1)
    luminance = LUMINANCE[0] * red + LUMINANCE[1] * green + LUMINANCE[2] * blue
    colours = [(blue - luminance) / (2 - 2 * LUMINANCE[2]), (red - luminance) / (2 - 2 * LUMINANCE[0])]
    grey = luminance.clamp(0, 1)[:, None].expand(-1, 3, -1, -1)  # rounding may reach beyond 1
    return grey, torch.stack(colours, dim=1)
