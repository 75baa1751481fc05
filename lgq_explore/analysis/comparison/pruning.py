"""How the pictures of a tokenizer get worse when rarely used codes are removed without retraining."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from lgq_explore.errors import InputError
from lgq_explore.frames.comparison import PRUNING
from lgq_explore.metrics import code_usage, psnr_db
from lgq_explore.quantizers import joint_codes, split_codes
from lgq_explore.runs.study import Study

from ..pictures.decoding import decode_codes

SHARES = (1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625)
"""Shares of the active codes that are kept by default."""


def pruning(study: Study, kept: Sequence[int] | None = None, crops: int | None = None) -> pd.DataFrame:
    """PSNR against the number of codes kept, one row per number, descending: `frames.comparison.PRUNING`.

    The most used codes are kept. Held-out tokens take the nearest of them, in the method's own metric, and the decoder
    makes pictures of these, which it was never trained for: it is a lower bound on what training with so few codes
    would give. kept: numbers of codes, by default SHARES of those that are active. crops: the first ones, by default
    all.

    Raises:
        InputError: a method without codes, with more joint codes than can be numbered, or a number of codes outside of
            1 … those that are active.
    """
    order = _by_use(study)
    numbers = sorted(
        set(kept or (min(len(order), max(2, round(share * len(order)))) for share in SHARES)), reverse=True
    )
    for number in numbers:
        if not 1 <= number <= len(order):
            raise InputError(f"{number} codes are kept: give numbers from 1 to the {len(order):,d} that are active")
    encoding = study.encoding
    shown = len(encoding) if crops is None else min(crops, len(encoding))
    height, width = encoding.codes.shape[2:]
    points = study.points[: shown * height * width]
    images = torch.from_numpy(encoding.images[:shown]).double() / 255
    rows = []
    for number in numbers:
        codes = _nearest(study, points, order[:number])
        grid = split_codes(codes.view(shown, height, width), study.quantizer.levels).numpy()
        pictures = torch.from_numpy(decode_codes(study.tokenizer_on_device, grid)).double() / 255
        usage = code_usage(np.unique(codes.numpy(), return_counts=True)[1], study.quantizer.codebook_size)
        rows.append(
            {
                "kept": number,
                "active_codes": usage.active_codes,
                "entropy_bits": usage.entropy_bits,
                "psnr_db": float(psnr_db(images, pictures).mean()),
                "crops": shown,
                "photographs": len(np.unique(encoding.photograph[:shown])),
            }
        )
    return PRUNING.frame(rows)


def _by_use(study: Study) -> NDArray[np.int64]:
    """The active joint codes, the most used first; of equally used ones the lowest."""
    codes, counts = np.unique(study.codes, return_counts=True)
    return codes[np.argsort(-counts, kind="stable")]


@torch.no_grad()
def _nearest(study: Study, points: torch.Tensor, allowed: NDArray[np.int64]) -> torch.Tensor:
    """The joint code of each point among the allowed ones [N]."""
    assigned = study.quantizer.assign(points, torch.from_numpy(np.sort(allowed)))
    return joint_codes(assigned[:, :, None, None], study.quantizer.levels).flatten()
