"""Which estimator is closest to the true gradient, by temperature and by the width of the noise that defines it.

The gradient of the loss under noise depends on the noise's σ, and so does the best temperature for LGQ. Across the
border between two codes at a distance Δ, with x the distance from it, LGQ's responsibility and the noise's probability
are

    p = 1 / (1 + exp(−2 Δ x/τ))      steepest at the border, with the slope Δ/(2τ)
    P = Φ(x/σ)                       steepest there, too, with the slope 1/(σ √(2π))

They are equally steep at τ* = √(π/2) Δ σ. This holds where the noise reaches no third code.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from lgq_explore.frames.temperature import ESTIMATOR_MAP
from lgq_explore.quantizers import Quantizer, to_tokens
from lgq_explore.runs.study import Study

from .estimators import compare_estimators, latents_and_loss
from .smoothed_gradient import rounding_error, smoothed_gradient
from .softness import require_soft

SIGMA_SHARES = (1 / 8, 1 / 4, 1 / 2, 1, 2)
"""Widths of the noise that are looked at by default, over the tokens' own rounding error."""

TOKENS_AT_ONCE = 1024
"""Tokens whose distances to all codes are held at once."""


def estimator_map(
    study: Study,
    images: NDArray[np.uint8],
    temperatures: Sequence[float],
    sigmas: Sequence[float] | None = None,
    pairs: int = 64,
    seed: int = 0,
) -> pd.DataFrame:
    """`estimator_microscope` for several σ on one batch, one row per σ, temperature and estimator.

    Columns: `frames.temperature.ESTIMATOR_MAP`. images: uint8 [B, 3, S, S]. sigmas: of the noise, in the codes' space;
    by default SIGMA_SHARES of the rounding error of these tokens.

    Raises:
        InputError: as `estimator_microscope`.
    """
    quantizer = require_soft(study.quantizer)
    latents, loss = latents_and_loss(study, images)
    spacing, rounding = code_spacing(quantizer, latents), rounding_error(quantizer, latents)
    parts = []
    for sigma in [share * rounding for share in SIGMA_SHARES] if sigmas is None else sigmas:
        truth = smoothed_gradient(quantizer, latents, loss, sigma, pairs, seed)
        compared = compare_estimators(quantizer, latents, loss, truth, temperatures)
        parts.append(compared.assign(matched_temperature=matched_temperature(spacing, sigma)))
    facts = {"spacing": spacing, "rounding_error": rounding, "tokens": len(to_tokens(latents))}
    return ESTIMATOR_MAP.frame(pd.concat(parts, ignore_index=True).assign(**facts) if parts else {})


def matched_temperature(spacing: float, sigma: float) -> float:
    """τ* = √(π/2) Δ σ: where LGQ passes from one code to the other as steeply as rounding does under the noise."""
    return math.sqrt(math.pi / 2) * spacing * sigma


@torch.no_grad()
def code_spacing(quantizer: Quantizer, latents: Tensor) -> float:
    """Δ, the median over the tokens of raw latents [B, D, H, W] of the distance between their two nearest codes."""
    codes, tokens = quantizer.code_points(), to_tokens(quantizer.continuous(latents))
    nearest = torch.cat(
        [quantizer.distances(part).topk(2, largest=False).indices for part in tokens.split(TOKENS_AT_ONCE)]
    )
    first, second = codes[nearest].unbind(1)
    return (first - second).norm(dim=1).median().item()
