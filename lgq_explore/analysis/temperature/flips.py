"""Tokens whose code changes from one temperature, or one snapshot of the codebook, to the next."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pandas as pd
import torch
from torch import Tensor

from lgq_explore.frames.temperature import FLIPS_OVER_SNAPSHOTS, FLIPS_OVER_TEMPERATURES
from lgq_explore.quantizers import Quantizer, to_tokens
from lgq_explore.runs.study import Study

from .softness import TOKENS, require_soft, sample_latents


def flips_over_temperatures(quantizer: Quantizer, latents: Tensor, temperatures: Sequence[float]) -> pd.DataFrame:
    """Share of tokens whose code changes between neighbouring temperatures, a row per pair: from, to, and two shares.

    hard: of the code with the largest responsibility, which no temperature changes. soft: of the code that q_soft
    would be rounded to.
    Raises InputError for a quantizer without temperature.
    """
    soft_quantizer = require_soft(quantizer)
    hard, soft = [], []
    for temperature in temperatures:
        softness = soft_quantizer.softness(latents, temperature)
        hard.append(softness.codes)
        soft.append(soft_quantizer.assign(softness.soft))
    return FLIPS_OVER_TEMPERATURES.frame(
        {
            "from_temperature": list(temperatures[:-1]),
            "to_temperature": list(temperatures[1:]),
            "hard": _flipped(hard),
            "soft": _flipped(soft),
        }
    )


def flips_over_snapshots(study: Study, tokens: int = TOKENS, seed: int = 0) -> pd.DataFrame:
    """Share of tokens whose code changes from one snapshot of the codebook to the next.

    A row per pair of neighbours: from_step, to_step, share. tokens: size of the sample, all of today's encoder: what is
    measured is how far the codes moved. Raises InputError for a method that takes no other codebooks.
    """
    steps = sorted(study.snapshots)
    with torch.no_grad():
        points = to_tokens(study.quantizer.continuous(sample_latents(study.latents, tokens, seed)))
    codes = [study.quantizer_at(step).assign(points) for step in steps]
    return FLIPS_OVER_SNAPSHOTS.frame({"from_step": steps[:-1], "to_step": steps[1:], "share": _flipped(codes)})


def _flipped(codes: Sequence[Tensor]) -> list[float]:
    """Share of tokens whose code changes between consecutive entries, each [N] or [N, G]."""
    return [
        (before != after).reshape(len(before), -1).any(1).double().mean().item() for before, after in pairwise(codes)
    ]
