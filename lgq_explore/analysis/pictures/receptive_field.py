"""Effective receptive field of a token: how far beyond its own pixels it sees.

The architecture alone does not answer this: self-attention and the statistics of GroupNorm connect every latent to
every pixel. The gradient of the latents with respect to the picture does (Luo et al. 2016, arXiv 1701.04128).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from lgq_explore.errors import InputError
from lgq_explore.frames.pictures import RECEPTIVE_FIELD
from lgq_explore.images.ranges import to_model_range
from lgq_explore.models import Tokenizer
from lgq_explore.runs.study import Study

from .tokens import patch_side

TOKENS = 64
"""Tokens, evenly spread over an encoding, whose gradients are taken."""

MOST_OF_IT = 0.9
"""Share of the squared gradient within the window that is called the receptive field."""


def receptive_field(study: Study, tokens: int = TOKENS) -> pd.DataFrame:
    """Share of a token's squared gradient within windows around it, by reach: `frames.pictures.RECEPTIVE_FIELD`.

    The squared gradient, Σ_d |∂z_d/∂x|², is summed over `tokens` tokens evenly spread over the study's. The sum over
    the D latents is estimated by one seeded draw of signs per token, as the mean of |∂(Σ_d ±z_d)/∂x|². A window of
    reach r has a side of f + 2r pixels, f × f being the token's own.

    Raises:
        InputError: fewer than one token, or latents that no pixel moves.
    """
    if tokens < 1:
        raise InputError(f"tokens is {tokens}: give at least 1")
    encoding, own = study.encoding, patch_side(study)
    count, _, height, width = encoding.latents.shape
    every = count * height * width
    chosen = np.unique(np.linspace(0, every - 1, min(tokens, every)).round().astype(int))
    images, rows, columns = np.unravel_index(chosen, (count, height, width))
    energy = _squared_gradients(study.tokenizer_on_device, torch.from_numpy(encoding.images[images]), rows, columns)
    reach = _reaches(rows, columns, own, encoding.images.shape[-1])
    held = np.bincount(reach.reshape(-1), weights=energy.reshape(-1))
    if held.sum() == 0:
        raise InputError("no pixel moves these latents: their encoder gives the same for every picture")
    beyond = np.arange(len(held))
    return RECEPTIVE_FIELD.frame({"reach": beyond, "side": own + 2 * beyond, "share": np.cumsum(held) / held.sum()})


def reach_holding(field: pd.DataFrame, share: float = MOST_OF_IT) -> int:
    """The smallest reach whose window holds this share of the squared gradient.

    Raises:
        InputError: a share that is not above 0 and at most 1.
    """
    if not 0 < share <= 1:
        raise InputError(f"share is {share}: give a number above 0, and at most 1")
    rounding = 1e-9  # sums of shares reach 1 only nearly
    return int(field.loc[field["share"] >= share - rounding, "reach"].iloc[0])


def _squared_gradients(tokenizer: Tokenizer, pictures: Tensor, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """[n, S, S]: of the i-th picture's token at rows[i], columns[i]."""
    device = next(tokenizer.parameters()).device
    images = to_model_range(pictures.to(device)).requires_grad_()
    with torch.enable_grad():
        latents = tokenizer.encode(images)[torch.arange(len(rows)), :, rows, columns]
        signs = torch.randint(0, 2, latents.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
        # Each picture moves its own token only, so that one backward pass serves them all.
        (gradient,) = torch.autograd.grad((latents * signs.to(device)).sum(), images)
    return gradient.double().square().sum(1).cpu().numpy()


def _reaches(rows: np.ndarray, columns: np.ndarray, factor: int, side: int) -> np.ndarray:
    """How many pixels beyond its token's own square each pixel lies, int64 [n, S, S]; 0 inside."""
    pixels = np.arange(side)

    def beyond(first: np.ndarray) -> np.ndarray:
        return np.maximum(0, np.maximum(first[:, None] - pixels, pixels - first[:, None] - factor + 1))

    return np.maximum(beyond(rows * factor)[:, :, None], beyond(columns * factor)[:, None, :])
