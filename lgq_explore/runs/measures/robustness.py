"""How codes and pictures answer to changes of the picture that hardly anyone sees."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from PIL import Image
from torch import Tensor

from lgq_explore.images.ranges import to_model_range, to_uint8
from lgq_explore.metrics.definition import Definition
from lgq_explore.metrics.image import psnr_db
from lgq_explore.metrics.mean import Mean

from .base import MeasuredBatch, MeasureSettings, to_unit

NOISE = 2.0
"""Standard deviation of the noise, in steps of 8 bits."""

JPEG_QUALITY = 90


@dataclass(frozen=True)
class Change:
    """changed: pictures uint8 [B, 3, S, S] → changed ones. followed: what the change does to any [B, C, H, W] grid.

    Where a tokenizer is robust, the codes of changed pictures are the codes as `followed` by the change, and its
    reconstructions the reconstructions as `reconstructed`.
    """

    changed: Callable[[Tensor], Tensor]
    followed: Callable[[Tensor], Tensor]
    reconstructed: Callable[[Tensor], Tensor]


def _as_it_is(grid: Tensor) -> Tensor:
    return grid


def shifted(pictures: Tensor) -> Tensor:
    """Pictures [B, 3, S, S] moved right by one pixel; the first column is doubled, the last one lost."""
    return torch.cat([pictures[..., :1], pictures[..., :-1]], dim=-1)


def flipped(pictures: Tensor) -> Tensor:
    """The mirror image of pictures or grids of codes."""
    return pictures.flip(-1)


def noisy(pictures: Tensor) -> Tensor:
    """uint8 pictures with Gaussian noise: the same for every picture, so that batches and their order don't matter."""
    noise = NOISE * torch.randn(pictures.shape[1:], generator=torch.Generator().manual_seed(0))
    return (pictures.float() + noise).round().clamp(0, 255).to(torch.uint8)


def compressed(pictures: Tensor) -> Tensor:
    """uint8 pictures [B, 3, S, S] after JPEG."""
    return torch.stack([_through_jpeg(picture) for picture in pictures])


def _through_jpeg(picture: Tensor) -> Tensor:
    file = io.BytesIO()
    Image.fromarray(picture.permute(1, 2, 0).numpy()).save(file, "JPEG", quality=JPEG_QUALITY)
    with Image.open(file) as opened:
        values = torch.frombuffer(bytearray(opened.convert("RGB").tobytes()), dtype=torch.uint8)
    return values.reshape(*picture.shape[1:], 3).permute(2, 0, 1)


CHANGES = {
    "shift": Change(shifted, _as_it_is, shifted),
    "flip": Change(flipped, flipped, flipped),
    "noise": Change(noisy, _as_it_is, _as_it_is),
    "jpeg": Change(compressed, _as_it_is, _as_it_is),
}


class Robustness:
    """Share of tokens that keep their code, and PSNR of reconstructions, under each of CHANGES."""

    definition: ClassVar[Definition] = Definition(
        summary="share of codes that stay, and PSNR between reconstructions, where the picture hardly changes",
        keys=("codes_kept", "kept_psnr_db"),
        formula="For T in `.shift` (one pixel to the right), `.flip`, `.noise` (σ = 2 of 255) and `.jpeg` (quality "
        "90): `codes_kept.T` = share of tokens whose joint code in T(x) is that at its place in x (mirrored for the "
        "flip); `kept_psnr_db.T` = PSNR(T(x̂), reconstruction of T(x)), with x̂ not changed for noise and JPEG. "
        "Averages over tokens and images.",
        unit="share; dB",
        bias="None over images. A shift moves the picture within the tokens' grid, so that codes change for any "
        "tokenizer that sees details.",
        cost="Four more encodings and decodings of each image.",
        source="Zhang 2019 (arXiv 1904.11486) for shifts; JPEG by Pillow.",
        on_request=True,
    )
    of_codes: ClassVar[bool] = False

    def __init__(self, settings: MeasureSettings) -> None:
        self._tokenizer = settings.tokenizer
        self._kept = {name: Mean() for name in CHANGES}
        self._psnr = {name: Mean() for name in CHANGES}

    def update(self, batch: MeasuredBatch) -> None:
        """Encode and decode the batch's pictures after each change."""
        device = batch.codes.device
        for name, change in CHANGES.items():
            output = self._tokenizer(to_model_range(change.changed(batch.pictures).to(device)))
            same = output.coded.codes == change.followed(batch.codes)
            if same.shape[1]:
                self._kept[name].update(same.all(dim=1))
            expected = change.reconstructed(batch.unit_reconstructions)
            self._psnr[name].update(psnr_db(expected, to_unit(to_uint8(output.reconstruction).cpu())))

    def merge(self, other: Self) -> None:
        """Add the images of another instance."""
        for name in CHANGES:
            self._kept[name].merge(other._kept[name])
            self._psnr[name].merge(other._psnr[name])

    def numbers(self) -> dict[str, Any]:
        """The keys of the definition; `codes_kept` is None for a method without codes."""
        has_codes = self._tokenizer.quantizer.has_codes
        return {
            "codes_kept": {name: mean.compute() for name, mean in self._kept.items()} if has_codes else None,
            "kept_psnr_db": {name: mean.compute() for name, mean in self._psnr.items()},
        }
