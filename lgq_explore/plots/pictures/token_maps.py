"""Maps of tokens as pictures, in which every code has a colour."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import NDArray

GOLDEN = 0.618034
"""Steps of the hue from code to code, by which neighbours in number get distant colours."""


def token_map(codes: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Joint codes [H, W] → a picture uint8 [3, H, W] of a pixel per token, whose colour is its code's number."""
    numbers, places = np.unique(codes, return_inverse=True)
    colours = [colorsys.hls_to_rgb(code * GOLDEN % 1, 0.35 + 0.1 * (code // 7 % 4), 0.65) for code in map(int, numbers)]
    pixels = (255 * np.array(colours)).round().astype(np.uint8)[places.reshape(codes.shape)]
    return pixels.transpose(2, 0, 1)
