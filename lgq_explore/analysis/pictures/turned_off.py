"""Quality of pictures after some codes are turned off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from lgq_explore.errors import InputError
from lgq_explore.frames.pictures import TURNED_OFF
from lgq_explore.metrics import psnr_db
from lgq_explore.runs.encoding import Encoding
from lgq_explore.runs.study import Study

from ..codes import checked_codes
from .decoding import decode_codes


@dataclass(frozen=True, eq=False)
class TurnedOff:
    """An encoding after some of its joint codes were turned off.

    codes: int64 [N, G, H, W]. reconstructions: uint8 [N, 3, S, S]. reassigned: how many of the `tokens` held one of
    them. pictures: one row per picture, `frames.pictures.TURNED_OFF`.
    """

    turned_off: list[int]
    codes: NDArray[np.int64]
    reconstructions: NDArray[np.uint8]
    reassigned: int
    tokens: int
    pictures: pd.DataFrame

    @property
    def change_db(self) -> float:
        """ΔPSNR, the mean change over all pictures."""
        return float(self.pictures["change_db"].mean())


def turn_codes_off(study: Study, codes: list[int]) -> TurnedOff:
    """Give the tokens of these joint codes to the nearest code that stays on, and decode again what they change.

    The nearest code is that of the method's own `Quantizer.assign`; with one code off it is the runner-up. The study is
    not changed.

    Raises:
        InputError: an encoding without pictures, a code outside 0 … K − 1, or all of them.
    """
    quantizer, encoding = study.quantizer, study.encoding
    off = checked_codes(codes, quantizer.codebook_size)
    if len(off) == quantizer.codebook_size:
        raise InputError(f"all {len(off)} codes are turned off: leave at least one on")
    if len(encoding) == 0:
        raise InputError("the encoding holds 0 pictures: encode at least one first")
    lost = np.isin(study.codes, off).reshape(len(encoding), *encoding.codes.shape[2:])
    changed = _reassigned(study, off, lost)
    reconstructions = encoding.reconstructions.copy()
    touched = np.flatnonzero(lost.any(axis=(1, 2)))
    if len(touched):
        reconstructions[touched] = decode_codes(study.tokenizer_on_device, changed[touched])
    return TurnedOff(
        turned_off=off,
        codes=changed,
        reconstructions=reconstructions,
        reassigned=int(lost.sum()),
        tokens=lost.size,
        pictures=_pictures(encoding, reconstructions, lost, touched),
    )


def _reassigned(study: Study, off: list[int], lost: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The codes [N, G, H, W] with those at `lost` [N, H, W] replaced by the nearest that stay on."""
    codes, quantizer = study.encoding.codes.copy(), study.quantizer
    if lost.any():
        quantizer.require_listed()
        stays_on = torch.ones(quantizer.codebook_size, dtype=torch.bool)
        stays_on[off] = False
        nearest = quantizer.assign(study.points[torch.from_numpy(lost.reshape(-1))], allowed=stays_on)
        codes.transpose(0, 2, 3, 1)[lost] = nearest.numpy()  # a view: group by group into the copy
    return codes


def _pictures(
    encoding: Encoding, reconstructions: NDArray[np.uint8], lost: NDArray[np.bool_], touched: NDArray[np.intp]
) -> pd.DataFrame:
    before = _psnr(encoding.images, encoding.reconstructions)
    after = before.copy()
    if len(touched):
        after[touched] = _psnr(encoding.images[touched], reconstructions[touched])
    return TURNED_OFF.frame(
        {
            "image": np.arange(len(encoding)),
            "photograph": np.asarray(encoding.photograph_names)[encoding.photograph],
            "reassigned": lost.sum(axis=(1, 2)),
            "psnr_db": before,
            "psnr_db_after": after,
            "change_db": after - before,
        }
    )


def _psnr(images: NDArray[np.uint8], reconstructions: NDArray[np.uint8]) -> NDArray[np.float64]:
    pair = (torch.from_numpy(pictures).double() / 255 for pictures in (images, reconstructions))
    return psnr_db(*pair).numpy()
