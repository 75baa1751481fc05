"""The pictures on which two tokenizers disagree most."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lgq_explore.errors import InputError, printable
from lgq_explore.frames.comparison import DISAGREEMENT
from lgq_explore.frames.quantities import counted
from lgq_explore.runs.study import Study

from ..pictures.reconstructions import reconstruction_quality


def disagreement(first: Study, second: Study) -> pd.DataFrame:
    """PSNR of both studies and its difference for each crop, the first's greatest gain first: `DISAGREEMENT`.

    Raises:
        InputError: studies of other pictures.
    """
    if not np.array_equal(first.encoding.images, second.encoding.images):
        names = f"{printable(first.name)} and {printable(second.name)}"
        raise InputError(f"{names} hold different images: encode the same crops with both")
    a, b = (reconstruction_quality(study)["psnr_db"].to_numpy() for study in (first, second))
    photograph = first.encoding.photograph
    frame = DISAGREEMENT.frame(
        {
            "image": np.arange(len(a)),
            "photograph": first.encoding.photograph_names[photograph].astype(str),
            "crop": pd.Series(photograph).groupby(photograph).cumcount().to_numpy() + 1,
            "first_psnr_db": a,
            "second_psnr_db": b,
            "difference": a - b,
        }
    )
    return frame.sort_values("difference", ascending=False, kind="stable", ignore_index=True)


def who_gains(frame: pd.DataFrame, first: str, second: str) -> str:
    """On how many crops either run has the higher PSNR, in a sentence. frame: of `disagreement`.

    Raises:
        InputError: a column is missing.
    """
    DISAGREEMENT.require(frame)
    better, worse = int((frame["difference"] > 0).sum()), int((frame["difference"] < 0).sum())
    return (
        f"{printable(first)} has the higher PSNR on {better:,d} of {counted(len(frame), 'crop')}, "
        f"{printable(second)} on {worse:,d}."
    )


def token_grid(study: Study, image: int) -> NDArray[np.int64] | None:
    """The joint codes [H, W] of a crop; None for a method without codes, or with too many to be numbered."""
    try:
        codes = study.codes
    except InputError:
        return None
    _, _, height, width = study.encoding.codes.shape
    return np.asarray(codes).reshape(-1, height, width)[image]
