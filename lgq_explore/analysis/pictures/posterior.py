"""The codes nearest to a patch, and how the picture changes with the runner-up."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from lgq_explore.errors import InputError
from lgq_explore.frames.pictures import CANDIDATES as CANDIDATE_COLUMNS
from lgq_explore.quantizers import SoftQuantizer, split_codes
from lgq_explore.runs.encoding import Encoding
from lgq_explore.runs.study import Study

from .decoding import decode_codes
from .reconstructions import checked_temperature

CANDIDATES = 10


@dataclass(frozen=True, eq=False)
class PatchPosterior:
    """The choice of the token at image, row and column. code: the joint code that it holds.

    candidates: one row per code, the nearest first, `frames.pictures.CANDIDATES`; distances in `metric`, the method's
    own, and responsibilities at `temperature`. margin: how much farther the runner-up is than the nearest. Pictures are
    uint8 [3, S, S]: the input, the one decoded from its own codes, and the one decoded with the runner-up at this
    position.
    """

    image: int
    row: int
    column: int
    code: int
    runner_up: int
    temperature: float | None
    metric: str
    candidates: pd.DataFrame
    margin: float
    picture: NDArray[np.uint8]
    decoded: NDArray[np.uint8]
    decoded_runner_up: NDArray[np.uint8]

    @property
    def largest_change(self) -> int:
        """The largest change of an 8-bit value in the decoded picture."""
        return int(np.abs(self.decoded_runner_up.astype(np.int16) - self.decoded).max())


def posterior(
    study: Study,
    image: int,
    row: int,
    column: int,
    temperature: float | None = None,
    candidates: int = CANDIDATES,
) -> PatchPosterior:
    """The nearest codes of one token, its posterior over them, and the picture with the second of them.

    temperature: that of the posterior; by default the one in force, and None for a method without temperature. The
    margin and the runner-up do not depend on it. With several groups they refer to joint codes.

    Raises:
        InputError: a place outside the encoding, fewer than 2 candidates, more joint codes than can be listed, or a
            temperature that is not positive, or for a method without.
    """
    quantizer, encoding = study.quantizer, study.encoding
    _require_place(encoding, image, row, column)
    if candidates < 2:
        raise InputError(f"candidates is {candidates}: give at least 2, the nearest and the runner-up")
    temperature = checked_temperature(quantizer, temperature)
    _, _, height, width = encoding.codes.shape
    token = (image * height + row) * width + column
    distances = quantizer.distances(study.points[token : token + 1].double())[0]
    code = int(study.codes[token])
    ranked = _chosen_first(distances.argsort(stable=True)[:candidates].tolist(), code)
    codes = encoding.codes[image]
    swapped = codes.copy()
    swapped[:, row, column] = split_codes(torch.tensor([[[ranked[1]]]]), quantizer.levels)[0, :, 0, 0].numpy()
    decoded, decoded_runner_up = decode_codes(study.tokenizer_on_device, np.stack([codes, swapped]))
    return PatchPosterior(
        image=image,
        row=row,
        column=column,
        code=code,
        runner_up=ranked[1],
        temperature=temperature,
        metric=quantizer.metric.name,
        candidates=CANDIDATE_COLUMNS.frame(
            {
                "rank": np.arange(1, len(ranked) + 1),
                "code": ranked,
                "distance": distances[ranked].numpy(),
                "responsibility": _responsibilities(study, token, temperature, ranked),
            }
        ),
        margin=(distances[ranked[1]] - distances[ranked[0]]).item(),
        picture=encoding.images[image],
        decoded=decoded,
        decoded_runner_up=decoded_runner_up,
    )


def _chosen_first(nearest: list[int], code: int) -> list[int]:
    """Two codes at nearly the same distance may come in either order: the chosen one is put first."""
    return [code, *(other for other in nearest if other != code)][: len(nearest)]


@torch.no_grad()
def _responsibilities(study: Study, token: int, temperature: float | None, codes: list[int]) -> NDArray[np.float64]:
    quantizer = study.quantizer
    if temperature is None or not isinstance(quantizer, SoftQuantizer):
        return np.full(len(codes), math.nan)
    latent = study.latents[token, None, :, None, None]
    # The mean over a single token is that token's.
    return quantizer.soft_assign(latent, temperature).usage[codes].double().numpy()


def _require_place(encoding: Encoding, image: int, row: int, column: int) -> None:
    images, _, height, width = encoding.codes.shape
    for name, value, end in (("image", image, images), ("row", row, height), ("column", column, width)):
        if not 0 <= value < end:
            raise InputError(f"{name} {value} is outside 0 … {end - 1}: give a patch of the {images} encoded pictures")
