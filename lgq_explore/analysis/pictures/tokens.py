"""Place, code and loss of each token."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from lgq_explore.errors import InputError
from lgq_explore.quantizers import to_tokens
from lgq_explore.runs.study import Study

from ..codes import checked_codes


@torch.no_grad()
def token_table(study: Study) -> pd.DataFrame:
    """A row per token: token (its number), image, row, column, code (joint), and what is lost there in two units.

    Tokens go by image, row and column, and the index is their number.
    quantization_error: squared Euclidean distance of the token to its code, in the space of `Quantizer.continuous`.
    pixel_error: squared error of the reconstruction over the token's own f × f pixels, 8-bit values, three channels.

    Raises:
        InputError: pictures that the grid of codes does not divide, or joint codes too many to be numbered.
    """
    encoding = study.encoding
    own = to_tokens(study.quantizer.discrete(torch.from_numpy(encoding.codes)))
    images, rows, columns = np.indices((len(encoding), *encoding.codes.shape[2:])).reshape(3, -1)
    return pd.DataFrame(
        {
            "token": np.arange(len(study.codes)),
            "image": images,
            "row": rows,
            "column": columns,
            "code": study.codes,
            "quantization_error": (study.points.double() - own.double()).square().sum(1).numpy(),
            "pixel_error": _pixel_errors(study).reshape(-1),
        }
    )


def distortion(tokens: pd.DataFrame, codebook_size: int) -> pd.DataFrame:
    """What the tokens of each code lose: one row per joint code (0 … K − 1), unused ones included, with 0.

    code, count, token_share, quantization_error_share, pixel_error_share: shares of the whole table's sums. They are 0
    for all codes where nothing is lost.

    Raises:
        InputError: a table without tokens, or with a code outside 0 … K − 1.
    """
    if tokens.empty:
        raise InputError("the table holds 0 tokens: encode at least one picture first")
    checked_codes(tokens["code"].unique().tolist(), codebook_size)
    sums = tokens.groupby("code")[["quantization_error", "pixel_error"]].sum()
    sums.insert(0, "count", tokens.groupby("code").size())
    sums = sums.reindex(range(codebook_size), fill_value=0)
    totals = sums.sum()
    shares = sums / totals.where(totals > 0, 1)
    return pd.DataFrame(
        {
            "code": np.arange(codebook_size),
            "count": sums["count"].to_numpy(dtype=np.int64),
            "token_share": shares["count"].to_numpy(),
            "quantization_error_share": shares["quantization_error"].to_numpy(),
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
