"""Tests of tiles and of the searches in them."""

from __future__ import annotations

import pytest
import torch

from lgq_explore.quantizers.soft_assignment import tiles
from lgq_explore.quantizers.soft_assignment.tiles import first_largest, places_above, strip_buffer, strips

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("tile", "strip", "fewest", "height", "columns"),
    [
        (1, 1, 1, 1, [range(i, i + 1) for i in range(7)]),
        (1, 14, 4, 2, [range(i, i + 1) for i in range(7)]),  # the strip's limit
        (6, 100, 2, 2, [range(3), range(3, 6), range(6, 7)]),  # a last tile that is narrower
        (21, 100, 2, 3, [range(7)]),  # all codes in one tile
        (10**6, 10**6, 64, 142857, [range(7)]),
    ],
)
def test_tiles_cover_the_table_once_within_their_limits(
    monkeypatch: pytest.MonkeyPatch, tile: int, strip: int, fewest: int, height: int, columns: list[range]
) -> None:
    set_tiles(monkeypatch, tile, strip, fewest)
    cut = list(strips(11, 7, CPU))
    assert [row for each in cut for row in range(11)[each.rows]] == list(range(11))
    assert all(each.height == min(height, 11 - each.rows.start) for each in cut)
    assert all([range(7)[part] for part in each.columns] == columns for each in cut)
    buffer = strip_buffer(11, 7, like=torch.empty(0))
    assert len(buffer) == min(height, 11) * 7
    for each in cut:
        parts = each.tiles_of(buffer)
        assert [tuple(part.shape) for part in parts] == [(each.height, len(span)) for span in columns]
        assert all(part.is_contiguous() for part in parts)
        buffer.zero_()
        for part in parts:
            part += 1
        assert buffer[: each.height * 7].tolist() == [1.0] * (each.height * 7), "tiles overlap"


@pytest.mark.parametrize("codes", [1, 1024, 65536, 2**20, 2**24])
def test_the_limits_hold_at_every_size(codes: int) -> None:
    strip = next(strips(2**14, codes, CPU))
    width = strip.columns[0].stop
    assert strip.height * width <= tiles.TILE_ELEMENTS["cpu"]
    assert strip.height * codes <= max(tiles.STRIP_ELEMENTS["cpu"], codes)
    assert strip.height >= tiles.FEWEST_ROWS or codes > tiles.STRIP_ELEMENTS["cpu"] / tiles.FEWEST_ROWS


@pytest.mark.parametrize("columns", [1, 63, 255, 256, 257, 300, 1000, 4096])
def test_the_first_largest_is_what_max_gives(columns: int) -> None:
    scores = torch.randn(200, columns, generator=torch.Generator().manual_seed(columns))
    expected = scores.max(1)
    found = first_largest(scores)
    assert torch.equal(found.values, expected.values)
    assert torch.equal(found.indices, expected.indices)


@pytest.mark.parametrize("columns", [5, 256, 290, 1000])
def test_the_first_of_equals_wins(columns: int) -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randint(3, (500, columns), generator=generator).float()  # the largest is there many times
    scores[0] = 7.0
    scores[1] = -torch.inf
    scores[1, -1] = 0.0
    first = [row.index(max(row)) for row in scores.tolist()]
    assert first_largest(scores).indices.tolist() == first


def test_equals_in_later_tiles_stay_behind() -> None:
    scores = torch.randint(4, (300, 30), generator=torch.Generator().manual_seed(1)).float()
    (strip,) = strips(300, 30, CPU)
    one_by_one = tiles.Strip(strip.rows, tuple(slice(i, i + 1) for i in range(30)))
    found = one_by_one.largest_products(scores, torch.eye(30), one_by_one.tiles_of(torch.empty(300 * 30)))
    assert torch.equal(found.indices, scores.max(1).indices)
    assert torch.equal(found.values, scores.max(1).values)


@pytest.mark.parametrize("columns", [3, 64, 100, 640])
def test_places_above_a_floor_are_all_found(columns: int) -> None:
    scores = torch.randn(50, columns, generator=torch.Generator().manual_seed(0))
    floor = scores.max(1).values - torch.linspace(0, 0.4, 50)
    expected = {tuple(place) for place in (scores >= floor[:, None]).nonzero().tolist()}
    places = places_above(scores, floor, at_most=len(expected))
    assert places is not None
    assert set(zip(places.rows.tolist(), places.columns.tolist(), strict=True)) == expected
    assert len(places.rows) == len(expected)
    assert torch.equal(places.values, scores[places.rows, places.columns])
    assert places_above(scores, floor, at_most=len(expected) - 1) is None


def test_places_in_most_chunks_are_not_worth_the_search() -> None:
    scores = torch.zeros(4, 1024)
    scores[:, ::64] = 1.0
    assert places_above(scores, torch.ones(4), at_most=10**6) is None


def set_tiles(monkeypatch: pytest.MonkeyPatch, tile: int, strip: int, fewest: int) -> None:
    monkeypatch.setitem(tiles.TILE_ELEMENTS, "cpu", tile)
    monkeypatch.setitem(tiles.STRIP_ELEMENTS, "cpu", strip)
    monkeypatch.setattr(tiles, "FEWEST_ROWS", fewest)
