"""The figure of RESULTS.md: PSNR against bits a token."""

from __future__ import annotations

import math
from io import BytesIO

import numpy as np
import pandas as pd
from PIL import Image

from lgq_explore.frames.comparison import GROUP_NUMBERS
from lgq_explore.plots.comparison import publish_rate_distortion
from lgq_explore.plots.printing import png_bytes
from lgq_explore.statistics import mean_interval

from .hypotheses import AllCells

DRAWN = ("entropy_bits", "psnr_db")


def rate_distortion_png(cells: AllCells) -> bytes:
    """The figure as a PNG of at most some 100 kB. Raises InputError without cells."""
    target = BytesIO()
    publish_rate_distortion(rate_distortion_frame(cells)).savefig(target, format="png", dpi=120)
    return png_bytes(Image.open(target))


def rate_distortion_frame(cells: AllCells) -> pd.DataFrame:
    """Bits and PSNR of each method and size: `frames.comparison.GROUP_NUMBERS`."""
    rows = []
    for each in cells.values():
        for number in DRAWN:
            values = each.values(number)
            head = {
                "group": f"{each.method}, K = {each.codebook_size}",
                "method": each.method,
                "codebook_size": float(each.codebook_size),
                "number": number,
            }
            if values is None:
                nothing = dict.fromkeys(("estimate", "spread", "low", "high", "level"), math.nan)
                rows.append(head | nothing | {"seeds": len(each.seeds), "photographs": len(each.digests), "why": ""})
                continue
            found = mean_interval(values, weights=each.weights(number))
            of_seeds = np.average(values, axis=1, weights=each.weights(number))
            rows.append(
                head
                | {
                    "estimate": found.estimate,
                    "spread": float(np.std(of_seeds, ddof=1)) if len(of_seeds) > 1 else math.nan,
                    "low": math.nan if found.low is None else found.low,
                    "high": math.nan if found.high is None else found.high,
                    "level": found.level,
                    "seeds": found.seeds,
                    "photographs": found.photographs,
                    "why": found.why,
                }
            )
    return GROUP_NUMBERS.frame(rows)
