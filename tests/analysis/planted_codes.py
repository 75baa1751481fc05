"""Studies of which only the codes matter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import nn

from lgq_explore.models import Tokenizer
from lgq_explore.quantizers import Quantizer
from lgq_explore.runs.encoding import Encoding
from lgq_explore.runs.run import TrainedTokenizer
from lgq_explore.runs.study import Study

DIM = 2


def study_of_codes(
    codes: ArrayLike,
    levels: Sequence[int],
    photograph: Sequence[int] | None = None,
    pictures: NDArray[np.uint8] | None = None,
) -> Study:
    """A study with these codes [N, G, H, W]; every image is of the photograph given, or all are of one."""
    trained = TrainedTokenizer.of(Tokenizer(nn.Identity(), Quantizer(DIM, levels), nn.Identity()))
    codes = np.asarray(codes)
    of_photograph = np.zeros(len(codes), dtype=np.int64) if photograph is None else np.asarray(photograph)
    pictures = np.zeros((len(codes), 3, 4, 4), dtype=np.uint8) if pictures is None else pictures
    encoding = Encoding(
        images=pictures,
        latents=np.zeros((len(codes), DIM, *codes.shape[2:]), dtype=np.float32),
        codes=codes,
        reconstructions=pictures,
        levels=np.array(levels),
        photograph=of_photograph,
        photograph_names=np.array([f"photograph {number}" for number in range(of_photograph.max(initial=0) + 1)]),
        weights=trained.digest,
    )
    return Study(trained, encoding)
