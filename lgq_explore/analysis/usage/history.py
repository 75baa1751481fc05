"""Counts and moves of codes over the snapshots of a codebook."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from lgq_explore.errors import InputError
from lgq_explore.frames.usage import CODE_HISTORY
from lgq_explore.runs.study import Study

from ..codes import checked_codes


def code_history(study: Study, codes: Iterable[int]) -> pd.DataFrame:
    """How many of today's tokens each snapshot of the codebook would give to a code: `frames.usage.CODE_HISTORY`.

    Encoders of the past are not kept. The tokens are those of the newest weights, so the frame shows how the codebook
    came to where these tokens lie now. Rows are sorted by step, then by code. The counts of the last snapshot are those
    of `usage.per_code` if training ended there.

    Raises:
        InputError: a study without snapshots (fixed grids, no run), a method that takes no other codebooks, or a code
            outside 0 … K − 1.
    """
    quantizer, snapshots = study.quantizer, study.snapshots
    codes = checked_codes(codes, quantizer.codebook_size)
    if quantizer.codebook_is_fixed:
        raise InputError(
            f"the codes of {study.method} are a fixed grid, which has no history: look at a method that learns"
        )
    if not snapshots:
        raise InputError(f"{study.require_run().path} holds no snapshots of its codebook: train it further")
    steps, tokens = sorted(snapshots), len(study.points)
    last = study.quantizer_at(steps[-1]).code_points()[codes]
    parts = []
    for step in steps:
        past = study.quantizer_at(step)
        counts = np.bincount(study.codes_at(step), minlength=past.codebook_size)[codes]
        moved = (past.code_points()[codes] - last).norm(dim=1).numpy()
        parts.append(
            pd.DataFrame({"step": step, "code": codes, "count": counts, "share": counts / tokens, "moved": moved})
        )
    return CODE_HISTORY.frame(pd.concat(parts, ignore_index=True))
