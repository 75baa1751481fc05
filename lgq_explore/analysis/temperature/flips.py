"""Tokens whose code changes from one snapshot of the codebook to the next."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pandas as pd
import torch
from torch import Tensor

from lgq_explore.frames.temperature import FLIPS_OVER_SNAPSHOTS
from lgq_explore.quantizers import to_tokens
from lgq_explore.runs.study import Study

from .softness import TOKENS, sample_latents


def flips_over_snapshots(study: Study, tokens: int = TOKENS, seed: int = 0) -> pd.DataFrame:
    """Share of tokens whose code changes between neighbouring snapshots: `frames.temperature.FLIPS_OVER_SNAPSHOTS`.

    tokens: size of the sample. All tokens are those of today's encoder, so only the codes move. Raises InputError for a
    method that takes no other codebooks.
    """
    steps = sorted(study.snapshots)
    with torch.no_grad():
        points = to_tokens(study.quantizer.continuous(sample_latents(study.latents, tokens, seed)))
    codes = [study.quantizer_at(step).assign(points) for step in steps]
    return FLIPS_OVER_SNAPSHOTS.frame({"from_step": steps[:-1], "to_step": steps[1:], "share": share_flipped(codes)})


def share_flipped(codes: Sequence[Tensor]) -> list[float]:
    """Share of tokens whose code changes between consecutive entries, each [N] or [N, G]."""
    return [
        (before != after).reshape(len(before), -1).any(1).double().mean().item() for before, after in pairwise(codes)
    ]
