"""Squares cut from one prepared picture: where a row of a batch draws them, and the fixed grid of evaluation.

It needs NumPy alone, so that processes that decode do without torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# The shorter side of a prepared picture is this many crops: 8·image_size pixels.
SIDE_IN_CROPS = 8

# Second word of the key of the generator that draws crops, so that no other use of the seed draws the same numbers.
_CROP_STREAM = int.from_bytes(b"crops", "little")
_PLASTIC_NUMBER = 1.32471795724474602596  # the real root of x³ = x + 1


class Draw(NamedTuple):
    """What a row of a batch draws, each uniform in [0, 1): the photograph, the place of the crop, and its flip."""

    photograph: float
    down: float
    across: float
    flip: float


def draws(seed: int, step: int, rows: Sequence[int], *, replacement: int = 0) -> list[Draw]:
    """The draws of `rows`, which are indices in the global batch: a pure function of the seed, the step and the row.

    replacement: 0, or the number of the draw that replaces the one of a picture that can't be used.
    """
    # Philox is a function of key and counter: a block of four words for each row, whatever the batch size.
    generator = np.random.Philox(
        key=np.array([seed % 2**64, _CROP_STREAM], dtype=np.uint64),
        counter=np.array([0, step, replacement, 0], dtype=np.uint64),
    )
    count = max(rows, default=-1) + 1
    words = generator.random_raw(4 * count).reshape(count, 4)[list(rows)]
    return [Draw(*uniform) for uniform in ((words >> np.uint64(11)) * 2.0**-53).tolist()]


def random_crop(pixels: NDArray[np.uint8], image_size: int, draw: Draw) -> NDArray[np.uint8]:
    """A view of the crop that `draw` says of a picture, uint8 [H, W, 3]: [3, S, S]."""
    height, width, _ = pixels.shape
    top = int(draw.down * (height - image_size + 1))
    left = int(draw.across * (width - image_size + 1))
    crop = _crop(pixels, image_size, top, left)
    return crop[:, :, ::-1] if draw.flip < 0.5 else crop


def cells_of(height: int, width: int, image_size: int) -> int:
    """The number of cells in the grid of a picture."""
    return (height // image_size) * (width // image_size)


def grid_crops(pixels: NDArray[np.uint8], image_size: int, count: int) -> list[NDArray[np.uint8]]:
    """Views of `count` cells of a picture's grid, [3, S, S] each, spread over it, in reading order.

    The grid is centred, of cells that do not overlap. A larger count adds to the cells of a smaller one.
    """
    height, width, _ = pixels.shape
    rows, columns = height // image_size, width // image_size
    above, before = (height - rows * image_size) // 2, (width - columns * image_size) // 2
    return [
        _crop(pixels, image_size, above + row * image_size, before + column * image_size)
        for row, column in _spread_cells(rows, columns, count)
    ]


def even_shares(capacities: NDArray[np.int64], limit: int) -> NDArray[np.int64]:
    """How many crops to take of each photograph: as equal as the capacities allow, and at most `limit` in total."""
    low, high = 0, int(capacities.max(initial=0))
    while low < high:  # the highest level at which the capacities, clipped there, stay within the limit
        level = (low + high + 1) // 2
        low, high = (level, high) if np.minimum(capacities, level).sum() <= limit else (low, level - 1)
    shares = np.minimum(capacities, low)
    can_give_more = np.flatnonzero(capacities > low)
    rest = min(limit - int(shares.sum()), len(can_give_more))
    # One more crop of photographs at even distances, not of the first ones only.
    shares[can_give_more[evenly(rest, len(can_give_more))]] += 1
    return shares


def evenly(count: int, among: int) -> NDArray[np.int64]:
    """`count` of the indices below `among`, at even distances: int64 [count]."""
    return (np.arange(count, dtype=np.int64) * among + among // 2) // max(count, 1)


def _crop(pixels: NDArray[np.uint8], image_size: int, top: int, left: int) -> NDArray[np.uint8]:
    """A view of one crop, channels first: [3, S, S]."""
    return pixels[top : top + image_size, left : left + image_size].transpose(2, 0, 1)


def _spread_cells(rows: int, columns: int, count: int) -> list[tuple[int, int]]:
    """`count` cells (row, column) of a grid, spread over it, in reading order; a larger count adds to them.

    The cells are ranked by a dither pattern, the fractional part of row/g + column/g² from the centre, g the
    plastic number (M. Roberts, "The unreasonable effectiveness of quasirandom sequences", 2018).
    """
    from_middle = np.ogrid[-(rows // 2) : rows - rows // 2, -(columns // 2) : columns - columns // 2]
    rank = (from_middle[0] / _PLASTIC_NUMBER + from_middle[1] / _PLASTIC_NUMBER**2) % 1
    chosen = np.sort(np.argsort(rank, axis=None, kind="stable")[:count])
    return [divmod(cell, columns) for cell in chosen.tolist()]
