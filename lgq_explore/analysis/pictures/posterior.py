"""Which codes could a patch have taken, and what would the next one change?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from lgq_explore.errors import InputError
from lgq_explore.models import Tokenizer
from lgq_explore.quantizers import Quantizer, SoftQuantizer, split_codes
from lgq_explore.runs.encoding import Encoding

from ..code_space import code_points, token_points
from ..usage.counts import token_codes
from .decoding import decode_codes
from .reconstructions import checked_temperature

CANDIDATES = 10


@dataclass(frozen=True, eq=False)
class PatchPosterior:
    """One token's choice. Image, row and column say which; `code` is the joint code it holds.

    candidates: a row a code, nearest first: rank (from 1), code, squared_distance, responsibility (p at `temperature`;
    NaN where the method has none). margin: how much farther the runner-up is than the nearest, in squared distance.
    Pictures are uint8 [3, S, S]: the input, decoded from its own codes, and with the runner-up at this one position.
    """

    image: int
    row: int
    column: int
    code: int
    runner_up: int
    temperature: float | None
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
    tokenizer: Tokenizer,
    encoding: Encoding,
    image: int,
    row: int,
    column: int,
    temperature: float | None = None,
    candidates: int = CANDIDATES,
) -> PatchPosterior:
    """The nearest codes of one token, its posterior over them, and the picture with the second of them.

    temperature: of the posterior; by default the one in force, and None where the method has none. The margin and the
    runner-up need no temperature: for several groups they are of the joint codes.

    Raises:
        InputError: a place outside the encoding, an encoding of another tokenizer, fewer than 2 candidates, or a
            temperature that is not positive, or for a method without.
    """
    quantizer = tokenizer.quantizer
    _require_place(encoding, image, row, column)
    if candidates < 2:
        raise InputError(f"candidates is {candidates}: give at least 2, the nearest and the runner-up")
    temperature = checked_temperature(quantizer, temperature)
    only = _only(encoding, image)
    _, _, _, width = encoding.codes.shape
    token = token_points(quantizer, only)[row * width + column].double()
    squared = (code_points(quantizer).double() - token).square().sum(1)
    nearest = squared.argsort(stable=True)[:candidates]
    code = int(token_codes(only)[0, row, column])
    ranked = _chosen_first(nearest.tolist(), code)
    swapped = only.codes.copy()
    swapped[0, :, row, column] = split_codes(torch.tensor([[[ranked[1]]]]), quantizer.levels)[0, :, 0, 0].numpy()
    decoded, decoded_runner_up = decode_codes(tokenizer, np.concatenate([only.codes, swapped]))
    return PatchPosterior(
        image=image,
        row=row,
        column=column,
        code=code,
        runner_up=ranked[1],
        temperature=temperature,
        candidates=pd.DataFrame(
            {
                "rank": np.arange(1, len(ranked) + 1),
                "code": ranked,
                "squared_distance": squared[ranked].cpu().numpy(),
                "responsibility": _responsibilities(quantizer, only, row, column, temperature, ranked),
            }
        ),
        margin=(squared[ranked[1]] - squared[ranked[0]]).item(),
        picture=encoding.images[image],
        decoded=decoded,
        decoded_runner_up=decoded_runner_up,
    )


def _chosen_first(nearest: list[int], code: int) -> list[int]:
    """Two codes at the same distance, up to rounding, may come in either order: the one that was chosen leads."""
    return [code, *(other for other in nearest if other != code)][: len(nearest)]


@torch.no_grad()
def _responsibilities(
    quantizer: Quantizer, only: Encoding, row: int, column: int, temperature: float | None, codes: list[int]
) -> NDArray[np.float64]:
    if temperature is None or not isinstance(quantizer, SoftQuantizer):
        return np.full(len(codes), math.nan)
    latent = torch.from_numpy(only.latents[:, :, row : row + 1, column : column + 1])
    # The mean over a single token is that token's.
    return quantizer.soft_assign(latent, temperature).usage[codes].double().cpu().numpy()


def _only(encoding: Encoding, image: int) -> Encoding:
    kept = slice(image, image + 1)
    return Encoding(
        encoding.images[kept],
        encoding.latents[kept],
        encoding.codes[kept],
        encoding.reconstructions[kept],
        encoding.levels,
        encoding.photograph[kept],
        encoding.photograph_names,
    )


def _require_place(encoding: Encoding, image: int, row: int, column: int) -> None:
    images, _, height, width = encoding.codes.shape
    for name, value, end in (("image", image, images), ("row", row, height), ("column", column, width)):
        if not 0 <= value < end:
            raise InputError(f"{name} {value} is outside 0 … {end - 1}: give a patch of the {images} encoded pictures")
