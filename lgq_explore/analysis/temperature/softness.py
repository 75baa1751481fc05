"""Softness of a codebook's assignments at a temperature, and the gradient that the encoder receives there.

With responsibilities p of K codes for a token z at temperature τ, p* the largest of them and c* its code:

    gap             |q_soft − q_hard| ≤ (1 − p*) max_k |c_k − c*|
    free-energy gap min_k d² − F = −τ log p*, in [0, τ log K]
    encoder gain    mean diagonal of ∂q_soft/∂z = (2/τ) Cov_p(c); the straight-through estimator's is 1
    τ_c             2 λ_max(cov z), above which all codes coincide at the minimum of F (Rose, Gurewitz & Fox 1990)
"""

from __future__ import annotations

import math

import pandas as pd
import torch
from torch import Tensor

from lgq_explore.errors import InputError
from lgq_explore.quantizers import Quantizer, SoftQuantizer
from lgq_explore.quantizers.plain_tokens import as_latents

TOKENS = 4096
"""Size of a sample: large enough for a smooth distribution, small enough to be assigned at every move of a slider."""


def softness_summary(tokens: pd.DataFrame, temperature: float, spread: float) -> dict[str, float]:
    """Means over the rows of `TemperatureProbe.at`: one row of a sweep.

    effective_codes = exp(mean H). Gaps are relative to the spread, the free-energy gap, which is a squared length, to
    its square. If all tokens are equal and the spread is 0, gaps are absolute. The mean of the encoder gain may hide
    that most tokens have next to none, so its median and the share under 1 % are given too.
    """
    gain, unit = tokens["encoder_gain"], spread or 1.0
    return {
        "temperature": temperature,
        "effective_codes": math.exp(tokens["entropy"].mean()),
        "max_p": float(tokens["max_p"].mean()),
        "relative_gap": float(tokens["gap"].mean()) / unit,
        "relative_bound": float(tokens["gap_bound"].mean()) / unit,
        "relative_free_energy_gap": float(tokens["free_energy_gap"].mean()) / unit**2,
        "encoder_gain": float(gain.mean()),
        "encoder_gain_median": float(gain.median()),
        "encoder_gain_share_below_1_percent": float((gain < 0.01).mean()),
        "tokens": len(tokens),
    }


def sample_latents(latents: Tensor, tokens: int = TOKENS, seed: int = 0) -> Tensor:
    """Raw latents [n, D, 1, 1] of tokens drawn without replacement from [N, D], in their order; all if fewer.

    Raises InputError for fewer than one token.
    """
    if tokens < 1:
        raise InputError(f"tokens is {tokens}: give at least 1")
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(latents), generator=generator)[:tokens].sort().values
    return as_latents(latents[chosen])


def temperature_grid(lowest: float, highest: float, per_decade: int = 10) -> list[float]:
    """Temperatures evenly spaced on a log scale, whole powers of ten among them, that cover lowest … highest.

    Raises InputError for ends that are not positive and in order.
    """
    if not 0 < lowest < highest < math.inf:
        raise InputError(f"temperatures from {lowest} to {highest}: give two positive numbers in order")
    first = math.floor(round(math.log10(lowest) * per_decade, 6))
    last = math.ceil(round(math.log10(highest) * per_decade, 6))
    return [10 ** (step / per_decade) for step in range(first, last + 1)]


def require_soft(quantizer: Quantizer) -> SoftQuantizer:
    """The quantizer, if it has a temperature; InputError if not."""
    if not isinstance(quantizer, SoftQuantizer):
        raise InputError(f"{quantizer.own_name} chooses its codes without a temperature: give a run of lgq")
    return quantizer
