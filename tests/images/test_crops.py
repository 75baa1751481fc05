"""Tests of training crops and of the fixed grid of evaluation crops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lgq_explore.errors import InputError
from lgq_explore.images.crops import Photographs, evaluation_crops, training_batch


def indexed_photographs(sizes: list[tuple[int, int]]) -> Photographs:
    """Photographs whose pixels say where they are: (photograph, row, column)."""
    pixels = []
    for index, (height, width) in enumerate(sizes):
        rows, columns = np.mgrid[:height, :width]
        pixels.append(np.stack([np.full_like(rows, index), rows, columns], axis=-1).astype(np.uint8))
    names = tuple(f"{index}.png" for index in range(len(sizes)))
    return Photographs(pixels, names, names)


# --- training crops --------------------------------------------------------------------------------


def batch(
    photographs: Photographs, seed: int = 0, step: int = 0, size: int = 16, rows: range | None = None
) -> torch.Tensor:
    return training_batch(photographs, 8, seed=seed, step=step, batch_size=size, rows=rows)


def test_a_row_depends_on_seed_step_and_its_index_alone() -> None:
    photographs = indexed_photographs([(40, 60), (30, 20), (64, 64)])
    whole = batch(photographs)
    assert whole.shape == (16, 3, 8, 8)
    assert whole.dtype == torch.uint8
    assert torch.equal(batch(photographs), whole)
    assert torch.equal(batch(photographs, size=5), whole[:5])
    assert torch.equal(batch(photographs, rows=range(3, 9)), whole[3:9])
    assert torch.equal(batch(photographs, rows=range(1, 16, 4)), whole[1::4])
    assert batch(photographs, rows=range(0)).shape == (0, 3, 8, 8)
    assert not torch.equal(batch(photographs, seed=1), whole)
    assert not torch.equal(batch(photographs, step=1), whole)
    # Neighbouring steps must not be the same rows shifted by one.
    assert not torch.equal(batch(photographs, step=1)[:-1], whole[1:])


def test_training_crops_are_uniform_over_photographs_places_and_flips() -> None:
    sizes = [(9, 60), (40, 8), (64, 64), (8, 8)]
    crops = batch(indexed_photographs(sizes), size=8000).numpy()
    photograph, top = crops[:, 0, 0, 0], crops[:, 1, 0, 0]
    left = crops[:, 2].min(axis=(1, 2))
    flipped = crops[:, 2, 0, 0] > crops[:, 2, 0, -1]
    assert np.abs(np.bincount(photograph) / 2000 - 1).max() < 0.1
    assert abs(flipped.mean() - 0.5) < 0.03
    for index, (height, width) in enumerate(sizes):
        here = photograph == index
        for places, count in ((top[here], height - 7), (left[here], width - 7)):
            frequencies = np.bincount(places, minlength=count) * count / here.sum()
            assert len(frequencies) == count  # never beyond the last place, and it is reached
            assert np.abs(frequencies - 1).max() < 5 * np.sqrt(count / here.sum())
    # Each crop is one square of its photograph, whole and unstretched.
    steps = np.diff(crops.astype(int), axis=3)[:, 2]
    assert np.array_equal(steps, np.where(flipped, -1, 1)[:, None, None] * np.ones_like(steps))
    assert np.array_equal(np.diff(crops.astype(int), axis=2)[:, 1], np.ones((8000, 7, 8)))


def test_batches_that_cannot_be_made_are_refused() -> None:
    photographs = indexed_photographs([(40, 60)])
    with pytest.raises(InputError, match="batch size 0"):
        batch(photographs, size=0)
    with pytest.raises(InputError, match="batch of 16"):
        batch(photographs, rows=range(10, 17))
    with pytest.raises(InputError, match=r"0\.png has 60×40 pixels"):
        training_batch(photographs, 41, seed=0, step=0, batch_size=1)
    with pytest.raises(InputError, match="0 photographs"):
        batch(photographs.select([]))


# --- evaluation crops ------------------------------------------------------------------------------


def places_of(photographs: Photographs, limit: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The photograph of each crop, and its (top, left); checks that all is consistent."""
    crops = evaluation_crops(photographs, 8, limit)
    images = crops.images.numpy()
    assert np.array_equal(images[:, 0, 0, 0], crops.photograph)
    assert np.array_equal(images[:, 1:, -1, -1] - images[:, 1:, 0, 0], np.full((len(images), 2), 7))
    return crops.photograph, images[:, 1:, 0, 0].astype(np.int64)


def test_evaluation_takes_the_whole_grid_where_the_limit_allows() -> None:
    photograph, places = places_of(indexed_photographs([(20, 27), (8, 8)]), limit=1024)
    assert photograph.tolist() == [0] * 6 + [1]
    # 2×3 cells, centred: two pixels are left over above and below, one before and two after.
    assert places[:6].tolist() == [[2 + 8 * row, 1 + 8 * column] for row in range(2) for column in range(3)]


@pytest.mark.parametrize(
    ("limit", "counts"),
    [(100, [1, 4, 64, 12]), (40, [1, 4, 23, 12]), (20, [1, 4, 8, 7]), (7, [1, 2, 2, 2]), (2, [0, 1, 0, 1])],
)
def test_the_limit_is_shared_evenly_over_photographs(limit: int, counts: list[int]) -> None:
    photograph, _ = places_of(indexed_photographs([(8, 8), (16, 16), (64, 64), (24, 32)]), limit)
    assert len(photograph) == min(limit, 81)
    taken = np.bincount(photograph, minlength=4)
    assert np.sort(taken).tolist() == np.sort(counts).tolist()
    assert (np.diff(photograph) >= 0).all()


def test_cells_are_different_and_spread_over_the_grid() -> None:
    photographs = indexed_photographs([(64, 96)])
    for limit in range(1, 97):
        _, places = places_of(photographs, limit)
        rows, columns = places.T // 8
        assert len(set(zip(rows, columns, strict=True))) == limit
        for position, length in ((rows, 8), (columns, 12)):
            assert np.ptp(np.bincount(position * 2 // length, minlength=2)) <= 3
            assert np.ptp(np.bincount(position, minlength=length)) <= 3
    _, (centre,) = places_of(photographs, limit=1)
    assert centre.tolist() == [32, 48]


def test_evaluation_without_crops_is_refused() -> None:
    photographs = indexed_photographs([(40, 60)])
    with pytest.raises(InputError, match="0 crops"):
        evaluation_crops(photographs, 8, limit=0)
    with pytest.raises(InputError, match="too few"):
        evaluation_crops(photographs, 41)
