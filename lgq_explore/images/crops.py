"""Square crops of photographs: random ones for training, and a fixed grid for evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import InputError, printable
from .cutting import cells_of, draws, even_shares, grid_crops, random_crop
from .source import Crops, require_crops


@dataclass(frozen=True, eq=False)
class Photographs:
    """Prepared photographs: `pixels` uint8 [H, W, 3] each (read-only views of the cache's memory map).

    `names` are unique; photographs of one group are versions of one picture. `contents`: a digest of each that does not
    depend on the image size, such as that of its file; empty if there is none.
    """

    pixels: Sequence[NDArray[np.uint8]]
    names: tuple[str, ...]
    groups: tuple[str, ...]
    contents: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def select(self, indices: Iterable[int]) -> Photographs:
        """The photographs at `indices`, in that order."""
        chosen = list(indices)
        return Photographs(
            tuple(self.pixels[index] for index in chosen),
            tuple(self.names[index] for index in chosen),
            tuple(self.groups[index] for index in chosen),
            tuple(self.contents[index] for index in chosen if self.contents),
        )

    def joined(self, others: Photographs) -> Photographs:
        """These photographs and `others`, whose names are others."""
        return Photographs(
            (*self.pixels, *others.pixels),
            (*self.names, *others.names),
            (*self.groups, *others.groups),
            (*self.contents, *others.contents),
        )


NO_PHOTOGRAPHS = Photographs((), (), ())


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
    drawn = draws(seed, step, rows)
    chosen = [int(draw.photograph * len(photographs)) for draw in drawn]
    _check_sizes(photographs, image_size, chosen)
    images = np.empty((len(rows), 3, image_size, image_size), dtype=np.uint8)
    for image, index, draw in zip(images, chosen, drawn, strict=True):
        image[:] = random_crop(photographs.pixels[index], image_size, draw)
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
    sizes = [pixels.shape[:2] for pixels in photographs.pixels]
    cells = np.array([cells_of(height, width, image_size) for height, width in sizes], dtype=np.int64)
    counts = even_shares(cells, limit)
    images: list[NDArray[np.uint8]] = []
    for pixels, count in zip(photographs.pixels, counts.tolist(), strict=True):
        images += grid_crops(pixels, image_size, count)
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
