"""How many tokens change their code from one temperature, or one snapshot of the codebook, to the next?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import pandas as pd
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from lgq_explore.quantizers import Quantizer, nearest_codes, to_tokens

from ..code_space import with_snapshot
from .softness import require_soft


def flips_over_temperatures(quantizer: Quantizer, latents: Tensor, temperatures: Sequence[float]) -> pd.DataFrame:
    """Which share of tokens changes its code between neighbouring temperatures, a row a pair: from, to, and two shares.

    hard: of the code with the largest responsibility, which no temperature changes. soft: of the code nearest to
    q_soft, which is where the soft vector would be rounded to.
    Raises InputError for a quantizer without temperature.
    """
    soft_quantizer = require_soft(quantizer)
    (codebook,) = soft_quantizer.codebooks()
    hard, soft = [], []
    for temperature in temperatures:
        softness = soft_quantizer.softness(latents, temperature)
        hard.append(softness.codes)
        soft.append(nearest_codes(softness.soft, codebook))
    return pd.DataFrame(
        {
            "from_temperature": list(temperatures[:-1]),
            "to_temperature": list(temperatures[1:]),
            "hard": _flipped(hard),
            "soft": _flipped(soft),
        }
    )


def flips_over_snapshots(
    quantizer: Quantizer, latents: Tensor, snapshots: Mapping[int, Sequence[ArrayLike]]
) -> pd.DataFrame:
    """Which share of the same tokens changes its code from one snapshot (`Run.codebook_snapshots`) to the next.

    A row a pair of neighbours: from_step, to_step, share. Tokens are those of today's encoder: what is measured is
    how far the codes moved, not the tokens. Raises InputError for a method that takes no other codebooks.
    """
    steps = sorted(snapshots)
    with torch.no_grad():
        tokens = to_tokens(quantizer.continuous(latents))
    codes = [with_snapshot(quantizer, snapshots[step]).assign(tokens) for step in steps]
    return pd.DataFrame({"from_step": steps[:-1], "to_step": steps[1:], "share": _flipped(codes)})


def _flipped(codes: Sequence[Tensor]) -> list[float]:
    """Of neighbours in the sequence, the share of tokens whose code differs."""
    return [
        (before != after).reshape(len(before), -1).any(1).double().mean().item() for before, after in pairwise(codes)
    ]
