"""The pictures on which two tokenizers disagree most."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lgq_explore.errors import InputError, printable
from lgq_explore.frames.comparison import DISAGREEMENT
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
