"""Detection of copies among pictures by their content.

A copy is the same prepared pixels, or the same picture scaled or saved anew. The second is found in two steps: a
perceptual hash and the brightness name candidates, their thumbnails confirm them.

The hash is the DCT hash of C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010),
with 255 bits instead of 64. The picture is scaled to 64 × 64 greys; each bit says whether one of the lowest 16 × 16
coefficients of its discrete cosine transform is above their median. The constant coefficient, the brightness, is left
out.

The limits come from 800 photographs of ImageNet (one per class), prepared for crops of 8 and of 32 pixels:

=====================================================  ======  ==========  ==========
pairs                                                  bits    brightness  thumbnails
=====================================================  ======  ==========  ==========
copies scaled to 1/2, 3/4 (three filters) or 2: most   12      0.8         0.065
copies as JPEG of quality 50 to 90, WebP of 50: most   16      2.1         0.077
two photographs: least                                 84
two photographs of like brightness: least              100
moved squares, digits, discs, pages of text: least     16                  0.157
limit                                                  48      4.0         0.10
=====================================================  ======  ==========  ==========

(bits that differ; difference of the mean greys, of 255; root mean square difference of 16 × 16 RGB thumbnails in
standard deviations of the flatter one, where one level of 255 is always allowed.) At these limits no two of the 800
are joined, and all these copies are found. Halved without a filter, or halved and saved at quality 50, 99 % are.
Crops, mirror images and recoloured pictures are not detected; pictures that differ in small details only, such as a
number on a page, count as copies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_GREYS = 64  # the side of the grey picture that is hashed
_COEFFICIENTS = 16
_THUMBNAIL = 16
_MOST_BITS = 48
_MOST_BRIGHTNESS = 4.0
_MOST_DIFFERENCE = 0.10
# In levels of 255: the change by lossy saving even in flat pictures.
_ROUNDING = 1.0
# Standard deviation of greys below which a picture has no details to compare.
_LEAST_CONTRAST = 2.0
# Coefficients are rounded to so many decimals, since further ones differ between machines.
_DECIMALS = 3
_BLOCK = 256


@dataclass(frozen=True)
class Sketch:
    """A summary of a picture for finding copies: 255 bits as hexadecimal digits, and its mean grey.

    `bits` is empty if the picture is too flat; then only equal pixels count as a copy.
    """

    bits: str
    brightness: float


def sketch_of(pixels: NDArray[np.uint8]) -> Sketch:
    """The sketch of a prepared picture, uint8 [H, W, 3]: the same on every machine."""
    # Imported here, because it is not needed once the cache is filled.
    from scipy.fft import dctn

    greys = Image.fromarray(pixels).convert("L").resize((_GREYS, _GREYS), Image.Resampling.BILINEAR)
    values = np.asarray(greys, dtype=np.float64)
    brightness = round(float(values.mean()), _DECIMALS)
    if values.std() < _LEAST_CONTRAST:
        return Sketch("", brightness)
    low = dctn(values, norm="ortho")[:_COEFFICIENTS, :_COEFFICIENTS].ravel()[1:].round(_DECIMALS)
    return Sketch(np.packbits(low > np.median(low)).tobytes().hex(), brightness)


def copies(
    pixels: Sequence[NDArray[np.uint8]], digests: Sequence[str], sketches: Sequence[Sketch]
) -> NDArray[np.int64]:
    """Pairs of copies, int64 [N, 2]: not all pairs, but enough to connect all copies of a picture."""
    firsts: dict[str, int] = {}
    equal = [(firsts.setdefault(digest, index), index) for index, digest in enumerate(digests)]
    hashed = [index for index in firsts.values() if sketches[index].bits]
    similar = _similar(pixels, sketches, np.array(hashed, dtype=np.int64))
    return np.concatenate([np.array(equal, dtype=np.int64).reshape(-1, 2), *similar])


def connected(count: int, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each of `count` items, the first item that it is connected with by `pairs`, possibly itself."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = coo_array((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    _, labels = connected_components(edges, directed=False)
    _, firsts = np.unique(labels, return_index=True)
    return firsts[labels].astype(np.int64)


def _similar(
    pixels: Sequence[NDArray[np.uint8]], sketches: Sequence[Sketch], chosen: NDArray[np.int64]
) -> Iterator[NDArray[np.int64]]:
    """Pairs of `chosen` within the limits; only pictures of similar brightness are compared."""
    if len(chosen) < 2:
        return
    brightness = np.array([sketches[index].brightness for index in chosen])
    order = np.lexsort((chosen, brightness))
    chosen, brightness = chosen[order], brightness[order]
    words = np.array([list(bytes.fromhex(sketches[index].bits)) for index in chosen], dtype=np.uint8).view(np.uint64)
    thumbnails = _Thumbnails(pixels)
    for start in range(0, len(chosen), _BLOCK):
        rows = slice(start, start + _BLOCK)
        end = int(np.searchsorted(brightness, brightness[rows][-1] + _MOST_BRIGHTNESS, side="right"))
        columns = slice(start, end)
        bits = sum(np.bitwise_count(word[rows, None] ^ word[None, columns]).astype(np.int16) for word in words.T)
        near = (bits <= _MOST_BITS) & (brightness[columns] - brightness[rows, None] <= _MOST_BRIGHTNESS)
        row, column = np.nonzero(np.triu(near, 1))  # both begin with the same picture
        if len(row):
            yield _confirmed(thumbnails, chosen[rows], chosen[columns], row, column)


def _confirmed(
    thumbnails: _Thumbnails,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    row: NDArray[np.intp],
    column: NDArray[np.intp],
) -> NDArray[np.int64]:
    """Those of the pairs (`rows[row]`, `columns[column]`) whose thumbnails agree."""
    used_rows, row = np.unique(row, return_inverse=True)
    used_columns, column = np.unique(column, return_inverse=True)
    one, other = thumbnails.of(rows[used_rows]), thumbnails.of(columns[used_columns])
    squares = (one**2).mean(1)[:, None] + (other**2).mean(1) - 2 * one @ other.T / one.shape[1]
    flatter = np.minimum(one.std(1)[:, None], other.std(1))
    agree = (np.sqrt(squares.clip(0)) <= np.maximum(_MOST_DIFFERENCE * flatter, _ROUNDING))[row, column]
    # A thousand frames of one scene have half a million pairs; a thousand of them connect all. Rows begin the columns.
    first = connected(len(columns), np.stack([used_rows[row[agree]], used_columns[column[agree]]], axis=1))
    return np.stack([columns[first], columns], axis=1)[first != np.arange(len(columns))]


class _Thumbnails:
    """Thumbnails of pictures, float64 [N, 16·16·3], each computed once on demand."""

    def __init__(self, pixels: Sequence[NDArray[np.uint8]]) -> None:
        self._pixels = pixels
        self._made: dict[int, NDArray[np.float64]] = {}

    def of(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.stack([self._one(index) for index in indices.tolist()])

    def _one(self, index: int) -> NDArray[np.float64]:
        if index not in self._made:
            picture = Image.fromarray(np.ascontiguousarray(self._pixels[index]))
            small = picture.resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BILINEAR)
            self._made[index] = np.asarray(small, dtype=np.float64).ravel() - 128
        return self._made[index]
