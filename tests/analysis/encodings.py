"""What is an encoding of which only the codes matter?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from lgq_explore.runs.encoding import Encoding


def encoding_of(codes: ArrayLike, levels: Sequence[int], photograph: Sequence[int] | None = None) -> Encoding:
    """An encoding with these codes [N, G, H, W]; every image is of the photograph given, or all are of one."""
    codes = np.asarray(codes)
    of_photograph = np.zeros(len(codes), dtype=np.int64) if photograph is None else np.asarray(photograph)
    pictures = np.zeros((len(codes), 3, 4, 4), dtype=np.uint8)
    return Encoding(
        images=pictures,
        latents=np.zeros((len(codes), 2, *codes.shape[2:]), dtype=np.float32),
        codes=codes,
        reconstructions=pictures,
        levels=np.array(levels),
        photograph=of_photograph,
        photograph_names=np.array([f"photograph {number}" for number in range(of_photograph.max(initial=0) + 1)]),
    )
