"""How did the use of a code change while the codebook moved?"""

from __future__ import annotations

import pandas as pd
import torch

from lgq_explore.errors import InputError
from lgq_explore.quantizers import joint_codes
from lgq_explore.runs.encoding import Encoding
from lgq_explore.runs.frozen_run import frozen
from lgq_explore.runs.run import Run

from ..code_space import checked_codes, quantizer_at, token_points


def code_history(run: Run, encoding: Encoding, codes: list[int]) -> pd.DataFrame:
    """How many of today's tokens each snapshot of the codebook would give to a code: step, code, count, share, moved.

    The encoder of the past is not kept: tokens are those of the run's newest weights, so this is the codebook's way to
    where they lie now. moved: distance of the code's point from its place in the last snapshot.
    Rows go by step, then by code; the last snapshot's counts are those of `usage.per_code`, if training ended there.

    Raises:
        InputError: a run without snapshots (fixed grids), an encoding of another run, or a code outside 0 … K − 1.
    """
    run = frozen(run)
    run.require_own(encoding)
    snapshots = run.codebook_snapshots()
    method = run.config.quantizer.method
    quantizer = run.tokenizer().quantizer
    if quantizer.codebook_is_fixed:
        raise InputError(f"the codes of {method} are a fixed grid, which has no history: look at a method that learns")
    if not snapshots:
        raise InputError(f"{run.path} holds no snapshots of its codebook: train it further")
    codes = checked_codes(codes, quantizer.codebook_size)
    points = token_points(quantizer, encoding)
    last = quantizer_at(run, quantizer, max(snapshots)).code_points()
    parts = []
    for step in sorted(snapshots):
        past = quantizer_at(run, quantizer, step)
        joint = joint_codes(past.assign(points)[:, :, None, None], past.levels).flatten()
        counts = torch.bincount(joint, minlength=past.codebook_size)[codes].numpy()
        places = past.code_points()
        parts.append(
            pd.DataFrame(
                {
                    "step": step,
                    "code": codes,
                    "count": counts,
                    "share": counts / len(points),
                    "moved": (places[codes] - last[codes]).norm(dim=1).numpy(),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)
