"""Counts of each code."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from lgq_explore.errors import InputError
from lgq_explore.frames.usage import PER_CODE
from lgq_explore.metrics import CodeCounts, GroupedCodeCounts
from lgq_explore.quantizers.base import MOST_LISTED
from lgq_explore.runs.study import Study


def per_code(study: Study) -> pd.DataFrame:
    """The tokens that hold each code, one row per joint code, unused ones included: `frames.usage.PER_CODE`.

    Raises:
        InputError: a study without tokens, or more codes than can be listed.
    """
    return of_counts(code_counts(study).counts())


def code_counts(study: Study) -> CodeCounts:
    """Tokens per joint code. Raises InputError where joint codes are too many to be numbered."""
    codes = study.codes
    counts = CodeCounts(study.quantizer.codebook_size)
    counts.update(codes)
    return counts


def of_counts(counts: ArrayLike) -> pd.DataFrame:
    """The frame of `usage.per_code` for counts [K] taken elsewhere: the number of tokens of each code.

    Raises:
        InputError: counts that are not one-dimensional whole numbers of at least 0, or add up to no token.
    """
    values = np.asarray(counts)
    if values.ndim != 1 or values.dtype.kind not in "iu":
        raise InputError(
            f"counts have shape {list(values.shape)} and type {values.dtype}: give one whole number per code"
        )
    if values.size and values.min() < 0:
        raise InputError(f"a count is {values.min()}: give counts of at least 0")
    tokens = int(values.sum())
    if tokens == 0:
        raise InputError(f"{values.size} codes were counted over 0 tokens: encode at least one picture first")
    return PER_CODE.frame({"code": np.arange(values.size), "count": values, "share": values / tokens})


def of_groups(counts: GroupedCodeCounts) -> pd.DataFrame:
    """The frame of `usage.per_code` for counts of groups: of joint codes, or of each group's where those are too many.

    In that case the codes of the groups follow each other, and each token counts once in every group.
    """
    if counts.codebook_size <= MOST_LISTED:
        return of_counts(counts.joint.counts())
    return of_counts(np.concatenate([group.counts() for group in counts.groups]))


def codes_per_token(counts: GroupedCodeCounts) -> int:
    """In how many codes of `of_groups` each token counts: in its joint code, or in one of each group."""
    return 1 if counts.codebook_size <= MOST_LISTED else len(counts.groups)


def grid(usage: pd.DataFrame) -> pd.DataFrame:
    """The counts of `usage.per_code` folded into a near-square grid, so that 65,536 codes fit one look.

    Codes run along the rows: the index holds the first code of each row, the columns the offset from it, so that a
    cell's code is index + column. Cells beyond the last code are NaN.

    Raises:
        InputError: a frame that is not that of `usage.per_code`.
    """
    PER_CODE.require_rows(usage)
    columns = math.ceil(math.sqrt(len(usage)))
    rows = math.ceil(len(usage) / columns)
    cells = np.full(rows * columns, np.nan)
    cells[usage["code"].to_numpy()] = usage["count"].to_numpy()
    return pd.DataFrame(
        cells.reshape(rows, columns),
        index=pd.RangeIndex(0, rows * columns, columns, name="first code of the row"),
        columns=pd.RangeIndex(columns, name="offset in the row"),
    )
