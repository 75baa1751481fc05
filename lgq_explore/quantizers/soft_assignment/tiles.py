"""Tiles of the table of tokens and codes that fit a processor's cache, and fast searches in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

TILE_ELEMENTS = {"cpu": 2**18, "cuda": 2**25}
"""Token-code pairs in a tile: 1 MB of float32 for a CPU's cache, and enough to fill a GPU."""

STRIP_ELEMENTS = {"cpu": 2**22, "cuda": 2**27}
"""The most pairs held at once, the tiles of a strip of rows over all codes; a single row may have more."""

FEWEST_ROWS = 64
"""Rows below which matrix products become slow; tiles are cut along the codes before they have fewer rows."""

CHUNK = 64
"""Columns whose maximum `first_largest` takes before it searches for its place."""


@dataclass(frozen=True)
class Strip:
    """Some tokens against all codes: the `rows`, and the `columns` of each tile, in order."""

    rows: slice
    columns: tuple[slice, ...]

    @property
    def height(self) -> int:
        return self.rows.stop - self.rows.start

    def largest_products(self, queries: Tensor, keys: Tensor, tiles: list[Tensor]) -> Largest:
        """Fill the tiles with queries [height, E] times keys [E, K], and find the largest product of each row."""
        found = [
            first_largest(torch.mm(queries, keys[:, columns], out=tile)).moved(columns.start)
            for columns, tile in zip(self.columns, tiles, strict=True)
        ]
        return reduce(Largest.or_later, found)

    def tiles_of(self, buffer: Tensor) -> list[Tensor]:
        """A contiguous [height, width] view into the flat buffer for each tile, beside one another."""
        ends = [self.height * columns.stop for columns in self.columns]
        starts = [self.height * columns.start for columns in self.columns]
        return [buffer[start:end].view(self.height, -1) for start, end in zip(starts, ends, strict=True)]


def strips(tokens: int, codes: int, device: torch.device) -> Iterator[Strip]:
    """Cut `tokens` rows and `codes` columns into strips, each of tiles."""
    kind = "cpu" if device.type == "cpu" else "cuda"
    tile, whole = TILE_ELEMENTS[kind], STRIP_ELEMENTS[kind]
    height = max(1, tile // codes, min(FEWEST_ROWS, whole // codes))
    columns = tuple(_slices(codes, max(1, tile // height)))
    return (Strip(rows, columns) for rows in _slices(tokens, height))


def strip_buffer(tokens: int, codes: int, like: Tensor) -> Tensor:
    """Flat memory for the largest of the strips, of the dtype and on the device of `like`."""
    return like.new_empty(max(strip.height for strip in strips(tokens, codes, like.device)) * codes)


def columnwise_zeros(rows: int, like: Tensor) -> Tensor:
    """Zeros [rows, like.shape[1]] with contiguous columns, where accumulating products is a tenth faster."""
    return like.new_zeros(like.shape[1], rows).T


def _slices(length: int, step: int) -> list[slice]:
    return [slice(start, min(start + step, length)) for start in range(0, length, step)]


@dataclass(frozen=True)
class Largest:
    """The largest value of each row [N], and the index [N] int64 of the first column that has it."""

    values: Tensor
    indices: Tensor

    def moved(self, columns: int) -> Largest:
        """The same for a table in which these columns start at `columns`."""
        return Largest(self.values, self.indices + columns) if columns else self

    @staticmethod
    def below_each_other(parts: Sequence[Largest]) -> Largest:
        """The largest of rows that follow one another."""
        if len(parts) == 1:
            return parts[0]
        return Largest(torch.cat([part.values for part in parts]), torch.cat([part.indices for part in parts]))

    def or_later(self, other: Largest) -> Largest:
        """The larger of this and of `other`, found further to the right; on ties, this one."""
        later = other.values > self.values
        return Largest(torch.where(later, other.values, self.values), torch.where(later, other.indices, self.indices))


def first_largest(scores: Tensor) -> Largest:
    """`scores.max(1)` of [N, K] with the first index on ties, several times faster on a CPU for K ≫ CHUNK.

    torch finds a maximum alone with vector instructions, and a maximum with its index one number at a time. So the
    chunk with the maximum is found first, and then the place in that chunk.
    """
    columns = scores.shape[1]
    if columns < 4 * CHUNK:
        return Largest(*scores.max(1))
    whole = columns - columns % CHUNK
    maxima = scores[:, :whole].unflatten(1, (-1, CHUNK)).amax(2)
    if whole < columns:
        maxima = torch.cat([maxima, scores[:, whole:].amax(1, keepdim=True)], dim=1)
    values, chunks = maxima.max(1)
    # The last chunk may be shorter; its window then starts in the previous chunk, which has no value as large.
    starts = (chunks * CHUNK).clamp_(max=columns - CHUNK)
    windows = scores.gather(1, starts[:, None] + torch.arange(CHUNK, device=scores.device))
    return Largest(values, starts + windows.max(1).indices)


@dataclass(frozen=True)
class Places:
    """Some places of a table: rows [M], columns [M], and the values [M] there."""

    rows: Tensor
    columns: Tensor
    values: Tensor


def places_above(scores: Tensor, floor: Tensor, at_most: int) -> Places | None:
    """Places where scores [N, K] reach their row's floor [N]; None for more than `at_most`, or a quarter of the chunks.

    Chunks whose maximum is below the floor are skipped: looking at every number costs more than computing it.
    """
    whole = scores.shape[1] - scores.shape[1] % CHUNK
    chunks = scores[:, :whole].unflatten(1, (-1, CHUNK))
    rows, chunk = (chunks.amax(2) >= floor[:, None]).nonzero(as_tuple=True)
    if len(rows) > min(at_most, max(len(scores), scores.numel() // CHUNK // 4)):
        return None
    windows = chunks[rows, chunk]
    window, within = (windows >= floor[rows, None]).nonzero(as_tuple=True)
    last_rows, last = (scores[:, whole:] >= floor[:, None]).nonzero(as_tuple=True)
    if len(window) + len(last) > at_most:
        return None
    return Places(
        torch.cat([rows[window], last_rows]),
        torch.cat([chunk[window] * CHUNK + within, last + whole]),
        torch.cat([windows[window, within], scores[last_rows, last + whole]]),
    )


def beside(matrix: Tensor, column: Tensor) -> Tensor:
    """[N, E] and [N] → [N, E + 1]: adds a column, so that a row-wise constant is part of a matrix product."""
    return torch.cat([matrix, column[:, None]], dim=1)
