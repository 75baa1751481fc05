"""The patches of pictures with a code, and the picture that the code is decoded to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lgq_explore.errors import InputError
from lgq_explore.runs.study import Study

from .decoding import decode_alone
from .tokens import patch_side

MOST_PATCHES = 16
WHITE = 255


@dataclass(frozen=True, eq=False)
class CodePatches:
    """What a code looks like in pictures: squares of the token's f pixels and the reach on each side, uint8.

    tokens: the rows of the token table that are shown, evenly spread over all `count` rows with the code, in their
    order. patches: [n, 3, side, side], cut from the pictures; white beyond an edge. inside: [n, side, side], which of
    their pixels are not beyond one. mean_input, mean_reconstruction: [3, side, side], means over all `count` tokens,
    each pixel over those that have it; None for an unused code. alone: [3, side, side], the middle of a picture made of
    this code only.
    """

    code: int
    count: int
    tokens: pd.DataFrame
    patches: NDArray[np.uint8]
    inside: NDArray[np.bool_]
    mean_input: NDArray[np.uint8] | None
    mean_reconstruction: NDArray[np.uint8] | None
    alone: NDArray[np.uint8]


def code_patches(
    study: Study,
    tokens: pd.DataFrame,
    code: int,
    reach: int = 0,
    most: int = MOST_PATCHES,
) -> CodePatches:
    """The patches that hold a joint code; none for a dead code, which is still decoded alone.

    tokens: `token_table` of this study. reach: pixels shown beyond the token's own, on each side. most: largest number
    of patches.

    Raises:
        InputError: a code outside 0 … K − 1, a negative reach, or fewer than 1 patch.
    """
    if reach < 0 or most < 1:
        raise InputError(f"reach is {reach} and most is {most}: give at least 0 pixels and 1 patch")
    encoding, side = study.encoding, patch_side(study)
    _, _, height, width = encoding.codes.shape
    (picture,) = decode_alone(study.tokenizer_on_device, [code], height, width)
    (alone,) = _cut(picture[None], np.array([[0, height // 2, width // 2]]), side, reach)
    own = tokens[tokens["code"] == code]
    shown = own.iloc[np.linspace(0, len(own) - 1, min(most, len(own))).round().astype(int)]
    cut = _cut_around(encoding.images, shown, side, reach)
    return CodePatches(
        code=code,
        count=len(own),
        tokens=shown.reset_index(drop=True),
        patches=np.where(cut < 0, WHITE, cut).astype(np.uint8),
        inside=cut[:, 0] >= 0,
        mean_input=_mean(encoding.images, own, side, reach),
        mean_reconstruction=_mean(encoding.reconstructions, own, side, reach),
        alone=alone.astype(np.uint8),
    )


def _mean(pictures: NDArray[np.uint8], tokens: pd.DataFrame, factor: int, reach: int) -> NDArray[np.uint8] | None:
    """The mean patch; white where no token's picture has that pixel."""
    if tokens.empty:
        return None
    cut = _cut_around(pictures, tokens, factor, reach)
    there = cut >= 0
    seen = there.sum(axis=0)
    mean = np.where(there, cut, 0).sum(axis=0) / np.maximum(seen, 1)
    return np.where(seen > 0, mean.round(), WHITE).astype(np.uint8)


def _cut_around(pictures: NDArray[np.uint8], tokens: pd.DataFrame, factor: int, reach: int) -> NDArray[np.int16]:
    return _cut(pictures, tokens[["image", "row", "column"]].to_numpy(), factor, reach)


def _cut(pictures: NDArray[np.uint8], places: NDArray[np.int64], factor: int, reach: int) -> NDArray[np.int16]:
    """Squares around places (image, row, column) as int16 [n, 3, side, side], −1 beyond the pictures' edges."""
    images, rows, columns = places.T
    offsets = np.arange(-reach, factor + reach)
    y, x = rows[:, None] * factor + offsets, columns[:, None] * factor + offsets  # [n, side]
    last = pictures.shape[-1] - 1
    cut = pictures[
        images[:, None, None, None],
        np.arange(3)[None, :, None, None],
        y.clip(0, last)[:, None, :, None],
        x.clip(0, last)[:, None, None, :],
    ].astype(np.int16)
    inside = ((y >= 0) & (y <= last))[:, None, :, None] & ((x >= 0) & (x <= last))[:, None, None, :]
    return np.where(inside, cut, np.int16(-1))
