"""Square crops of photographs: random ones for training, and a fixed grid for evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import InputError, printable
from .source import Crops, require_crops

# Second word of the key of the generator that draws crops, so that no other use of the seed draws the same numbers.
_CROP_STREAM = int.from_bytes(b"crops", "little")
_PLASTIC_NUMBER = 1.32471795724474602596  # the real root of x³ = x + 1


@dataclass(frozen=True, eq=False)
class Photographs:
    """Prepared photographs: `pixels` uint8 [H, W, 3] each (read-only views of the cache's memory map).

    `names` are unique; photographs of one group are versions of one picture.
    """

    pixels: Sequence[NDArray[np.uint8]]
    names: tuple[str, ...]
    groups: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def select(self, indices: Iterable[int]) -> Photographs:
        """The photographs at `indices`, in that order."""
        chosen = list(indices)
        return Photographs(
            tuple(self.pixels[index] for index in chosen),
            tuple(self.names[index] for index in chosen),
            tuple(self.groups[index] for index in chosen),
        )


def training_batch(
    photographs: Photographs,
    image_size: int,
    *,
    seed: int,
    step: int,
    batch_size: int,
    rows: Sequence[int] | None = None,
) -> Tensor:
    """Random crops, uint8 [B, 3, S, S]: photograph, position and horizontal flip are uniform.

    A row is a pure function of (`seed`, `step`, its index in the global batch). rows: indices of the rows to return;
    processes that share a batch thus train on the same crops as a single one.

    Raises:
        InputError: a batch size below 1, rows outside of it, no photographs, or one below `image_size`.
    """
    if batch_size < 1:
        raise InputError(f"batch size {batch_size} is too small: give 1 or more")
    rows = range(batch_size) if rows is None else rows
    if any(not 0 <= row < batch_size for row in rows):
        raise InputError(f"{rows} reaches outside of a batch of {batch_size}: give rows from 0 to {batch_size - 1}")
    if not len(photographs):
        raise InputError("0 photographs to train on: load the images with a split")
    # Philox is a function of key and counter: a block of four words for each row, whatever the batch size.
    generator = np.random.Philox(
        key=np.array([seed % 2**64, _CROP_STREAM], dtype=np.uint64),
        counter=np.array([0, step, 0, 0], dtype=np.uint64),
    )
    words = generator.random_raw(4 * batch_size).reshape(batch_size, 4)[list(rows)]
    uniform = (words >> np.uint64(11)) * 2.0**-53  # [rows, 4] in [0, 1)
    chosen = (uniform[:, 0] * len(photographs)).astype(np.int64).tolist()
    _check_sizes(photographs, image_size, chosen)
    images = np.empty((len(rows), 3, image_size, image_size), dtype=np.uint8)
    for image, index, (down, across, flip) in zip(images, chosen, uniform[:, 1:].tolist(), strict=True):
        height, width, _ = photographs.pixels[index].shape
        top = int(down * (height - image_size + 1))
        left = int(across * (width - image_size + 1))
        crop = _crop(photographs.pixels[index], image_size, top, left)
        image[:] = crop[:, :, ::-1] if flip < 0.5 else crop
    return torch.from_numpy(images)


def evaluation_crops(photographs: Photographs, image_size: int, limit: int = 1024) -> Crops:
    """Crops from a fixed grid: the same for every run, method and seed.

    Each photograph has a centred grid of S×S cells that do not overlap. At most `limit` crops are taken in total,
    spread over the grid of each photograph and evenly over the photographs (if one has fewer cells, others give more).
    They are ordered by photograph, then in reading order.

    Raises:
        InputError: `limit` below 1, or a photograph smaller than `image_size`.
    """
    require_crops(limit)
    _check_sizes(photographs, image_size, range(len(photographs)))
    grids = [(pixels.shape[0] // image_size, pixels.shape[1] // image_size) for pixels in photographs.pixels]
    counts = _even_shares(np.array([rows * columns for rows, columns in grids], dtype=np.int64), limit)
    images: list[NDArray[np.uint8]] = []
    for pixels, (rows, columns), count in zip(photographs.pixels, grids, counts.tolist(), strict=True):
        above = (pixels.shape[0] - rows * image_size) // 2
        before = (pixels.shape[1] - columns * image_size) // 2
        images += [
            _crop(pixels, image_size, above + row * image_size, before + column * image_size)
            for row, column in _spread_cells(rows, columns, count)
        ]
    photograph = np.repeat(np.arange(len(photographs), dtype=np.int64), counts)
    return Crops(torch.from_numpy(np.stack(images)), photograph, photographs.names, photographs.groups)


def _check_sizes(photographs: Photographs, image_size: int, indices: Iterable[int]) -> None:
    for index in indices:
        height, width, _ = photographs.pixels[index].shape
        if min(height, width) < image_size:
            name = printable(photographs.names[index])
            raise InputError(
                f"{name} has {width}×{height} pixels, too few for crops of {image_size}: "
                "load the images for this image size"
            )


def _crop(pixels: NDArray[np.uint8], image_size: int, top: int, left: int) -> NDArray[np.uint8]:
    """A view of one crop, channels first: [3, S, S]."""
    return pixels[top : top + image_size, left : left + image_size].transpose(2, 0, 1)


def _even_shares(capacities: NDArray[np.int64], limit: int) -> NDArray[np.int64]:
    """How many crops to take of each photograph: as equal as the capacities allow, and at most `limit` in total."""
    low, high = 0, int(capacities.max(initial=0))
    while low < high:  # the highest level at which the capacities, clipped there, stay within the limit
        level = (low + high + 1) // 2
        low, high = (level, high) if np.minimum(capacities, level).sum() <= limit else (low, level - 1)
    shares = np.minimum(capacities, low)
    can_give_more = np.flatnonzero(capacities > low)
    rest = min(limit - int(shares.sum()), len(can_give_more))
    # One more crop of photographs at even distances, not of the first ones only.
    middle = len(can_give_more) // 2
    shares[can_give_more[(np.arange(rest) * len(can_give_more) + middle) // max(rest, 1)]] += 1
    return shares


def _spread_cells(rows: int, columns: int, count: int) -> list[tuple[int, int]]:
    """`count` cells (row, column) of a grid, spread over it, in reading order; a larger count adds to them.

    The cells are ranked by a dither pattern, the fractional part of row/g + column/g² from the centre, g the
    plastic number (M. Roberts, "The unreasonable effectiveness of quasirandom sequences", 2018).
    """
    from_middle = np.ogrid[-(rows // 2) : rows - rows // 2, -(columns // 2) : columns - columns // 2]
    rank = (from_middle[0] / _PLASTIC_NUMBER + from_middle[1] / _PLASTIC_NUMBER**2) % 1
    chosen = np.sort(np.argsort(rank, axis=None, kind="stable")[:count])
    return [divmod(cell, columns) for cell in chosen.tolist()]
