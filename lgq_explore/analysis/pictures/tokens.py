"""Place, code and loss of each token."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from lgq_explore.errors import InputError
from lgq_explore.frames.pictures import DISTORTION, TOKEN_TABLE
from lgq_explore.quantizers import to_tokens
from lgq_explore.runs.study import Study

from ..codes import checked_codes

_LOSSES = TOKEN_TABLE.only("code", "squared_distance", "pixel_error")


@torch.no_grad()
def token_table(study: Study) -> pd.DataFrame:
    """Place, code and loss of each token, one row per token: `frames.pictures.TOKEN_TABLE`.

    Tokens are sorted by image, row and column, and the index is their number. The squared distance is Euclidean, in the
    space of `Quantizer.continuous`; its mean over trace cov(z) is the `quantization_error` of `evaluate`. The pixel
    error is that of the token's own f × f pixels.

    Raises:
        InputError: pictures that the grid of codes does not divide, or joint codes too many to be numbered.
    """
    encoding = study.encoding
    own = to_tokens(study.quantizer.discrete(torch.from_numpy(encoding.codes)))
    squared_distance = (study.points.double() - own.double()).square().sum(1).numpy()
    if study.quantizer.no_geometry:
        squared_distance = np.full_like(squared_distance, np.nan)
    images, rows, columns = np.indices((len(encoding), *encoding.codes.shape[2:])).reshape(3, -1)
    return TOKEN_TABLE.frame(
        {
            "token": np.arange(len(study.codes)),
            "image": images,
            "row": rows,
            "column": columns,
            "code": study.codes,
            "squared_distance": squared_distance,
            "pixel_error": _pixel_errors(study).reshape(-1),
        }
    )


def distortion(tokens: pd.DataFrame, codebook_size: int) -> pd.DataFrame:
    """Each code's share of the tokens and of both losses, one row per joint code: `frames.pictures.DISTORTION`.

    Unused codes have shares of 0. So have all codes where the whole table loses nothing.

    Raises:
        InputError: a column is missing, a table without tokens, or with a code outside 0 … K − 1.
    """
    _LOSSES.require(tokens)
    if tokens.empty:
        raise InputError("the table holds 0 tokens: encode at least one picture first")
    checked_codes(tokens["code"].unique().tolist(), codebook_size)
    sums = tokens.groupby("code")[["squared_distance", "pixel_error"]].sum(min_count=1)  # NaN where all are
    sums.insert(0, "count", tokens.groupby("code").size())
    sums = sums.reindex(range(codebook_size), fill_value=0)
    totals = sums.sum(skipna=False)
    shares = sums / totals.mask(totals == 0, 1)
    return DISTORTION.frame(
        {
            "code": np.arange(codebook_size),
            "count": sums["count"].to_numpy(dtype=np.int64),
            "token_share": shares["count"].to_numpy(),
            "quantization_error_share": shares["squared_distance"].to_numpy(),
            "pixel_error_share": shares["pixel_error"].to_numpy(),
        }
    )


def patch_side(study: Study) -> int:
    """f, the pixels along the side of one token. Raises InputError where the grid does not divide the pictures."""
    *_, side = study.encoding.images.shape
    _, _, height, width = study.encoding.codes.shape
    if height == 0 or side % height or height != width:
        raise InputError(f"pictures of {side} pixels and codes on a grid of {height} × {width}: encode with one run")
    return side // height


def _pixel_errors(study: Study) -> np.ndarray:
    """[N, H, W]."""
    factor, encoding = patch_side(study), study.encoding
    errors = np.square(encoding.images.astype(np.int64) - encoding.reconstructions).sum(axis=1)
    images, side, _ = errors.shape
    return errors.reshape(images, side // factor, factor, side // factor, factor).sum(axis=(2, 4))
