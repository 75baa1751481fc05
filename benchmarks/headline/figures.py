"""The figure of RESULTS.md: PSNR against bits per token."""

from __future__ import annotations

from io import BytesIO

import pandas as pd
from PIL import Image

from lgq_explore.analysis.comparison.intervals import mean_columns, no_mean_columns
from lgq_explore.frames.comparison import GROUP_NUMBERS
from lgq_explore.plots.comparison import publish_rate_distortion
from lgq_explore.plots.printing import png_bytes

from .cells import AllCells

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
                rows.append(head | no_mean_columns(len(each.seeds), len(each.digests), ""))
            else:
                rows.append(head | mean_columns(values, each.weights(number)))
    return GROUP_NUMBERS.frame(rows)
