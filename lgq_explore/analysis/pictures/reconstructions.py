"""Pictures after soft and after hard assignment, and how close they are to the originals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from lgq_explore.errors import InputError
from lgq_explore.frames.pictures import RECONSTRUCTION_QUALITY
from lgq_explore.images.ranges import to_model_range, to_uint8
from lgq_explore.metrics import psnr_db
from lgq_explore.models import Tokenizer
from lgq_explore.quantizers import Quantizer, SoftQuantizer
from lgq_explore.quantizers.temperature import require_temperature
from lgq_explore.runs.study import Study


@dataclass(frozen=True, eq=False)
class Reconstructions:
    """Pictures and what a tokenizer makes of them, uint8 [n, 3, S, S] each.

    soft: decoded from the expected codes at `temperature`; both are None where the quantizer has no temperature.
    hard: decoded from the chosen codes.
    """

    images: NDArray[np.uint8]
    soft: NDArray[np.uint8] | None
    hard: NDArray[np.uint8]
    temperature: float | None


@torch.no_grad()
def reconstruct(
    tokenizer: Tokenizer, images: Tensor | NDArray[np.uint8], temperature: float | None = None
) -> Reconstructions:
    """Send pictures, uint8 [n, 3, S, S], through a tokenizer in eval mode; its own mode is restored afterwards.

    It takes a tokenizer, not a study, so that a training monitor can call it on weights that are still learning.
    temperature: of the soft assignment; by default the one in force.

    Raises:
        InputError: pictures of another type or shape, or a temperature that is not positive, or for a method without.
    """
    pictures = _checked_pictures(images)
    temperature = checked_temperature(tokenizer.quantizer, temperature)
    was_training = tokenizer.training
    tokenizer.eval()
    try:
        return _reconstruct(tokenizer, pictures, temperature)
    finally:
        tokenizer.train(was_training)


def reconstruction_quality(study: Study) -> pd.DataFrame:
    """PSNR of each picture, one row per picture: `frames.pictures.RECONSTRUCTION_QUALITY`.

    `metrics.psnr_db` has the formula.

    Raises:
        InputError: an encoding without pictures, or with reconstructions of another shape.
    """
    encoding = study.encoding
    if len(encoding.images) == 0 or encoding.images.shape != encoding.reconstructions.shape:
        raise InputError(
            f"images have shape {list(encoding.images.shape)} and reconstructions "
            f"{list(encoding.reconstructions.shape)}: give an encoding of at least one picture"
        )
    images, reconstructions = (
        torch.from_numpy(pictures).double() / 255 for pictures in (encoding.images, encoding.reconstructions)
    )
    return RECONSTRUCTION_QUALITY.frame(
        {
            "image": np.arange(len(encoding.images)),
            "photograph": np.asarray(encoding.photograph_names)[encoding.photograph],
            "psnr_db": psnr_db(images, reconstructions).numpy(),
        }
    )


def _reconstruct(tokenizer: Tokenizer, pictures: Tensor, temperature: float | None) -> Reconstructions:
    device = next(tokenizer.parameters()).device
    quantizer = tokenizer.quantizer
    latents = tokenizer.encode(to_model_range(pictures.to(device)))
    soft = None
    if isinstance(quantizer, SoftQuantizer) and temperature is not None:
        soft = decoded_pictures(tokenizer, quantizer.soft(latents, temperature))
    hard = decoded_pictures(tokenizer, quantizer(latents).quantized)
    return Reconstructions(pictures.cpu().numpy(), soft, hard, temperature)


@torch.no_grad()
def decoded_pictures(tokenizer: Tokenizer, quantized: Tensor) -> NDArray[np.uint8]:
    """Vectors [n, D, H, W], as the quantizer gives them → pictures uint8 [n, 3, S, S]."""
    return to_uint8(tokenizer.decode(quantized)).cpu().numpy()


def _checked_pictures(images: Tensor | NDArray[np.uint8]) -> Tensor:
    pictures = torch.as_tensor(images)
    if pictures.dtype != torch.uint8 or pictures.ndim != 4 or pictures.shape[1] != 3 or len(pictures) == 0:
        raise InputError(
            f"images have shape {list(pictures.shape)} and type {pictures.dtype}: give uint8 [n, 3, S, S], n at least 1"
        )
    return pictures


def checked_temperature(quantizer: Quantizer, temperature: float | None) -> float | None:
    """The temperature, by default the one in force; None for a method without. Raises InputError as `reconstruct`."""
    if not isinstance(quantizer, SoftQuantizer):
        if temperature is not None:
            raise InputError(f"temperature {temperature} was given, but {quantizer.own_name} has none: leave it out")
        return None
    if temperature is None:
        return quantizer.temperature
    require_temperature(temperature)
    return temperature
