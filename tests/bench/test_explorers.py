"""Tests of the benchmark of the temperature panel."""

from __future__ import annotations

import pytest

from lgq_explore.bench.explorers import markdown_table, measure_explorers
from lgq_explore.errors import InputError


@pytest.mark.slow
def test_every_move_is_measured_previewed_whole_and_made_ready() -> None:
    measured = measure_explorers(tokens=100, codes=2048, moves=3)
    (result,) = measured["results"]
    assert (result["tokens"], result["codes"], result["pictures"]) == (100, 2048, 2)
    seconds = [result[f"{kind}_seconds"] for kind in ("preview", "whole", "ready")]
    assert [len(moves) for moves in seconds] == [3, 3, 3]
    assert min(map(min, seconds)) > 0
    assert result["median_ready_seconds"] == sorted(result["ready_seconds"])[1]
    assert result["opening_seconds"] > 0
    table = markdown_table(measured)
    assert table.startswith("| panel | tokens N |")
    assert "| temperature | 100 | 2,048 |" in table


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ({"tokens": 0}, "tokens is 0: give at least 1"),
        ({"codes": 1}, "codes is 1: give at least 2"),
        ({"moves": 0}, "moves is 0: give at least 1"),
        ({"tokens": 64, "codes": 16, "moves": 999}, "moves is 999: the slider has"),
    ],
)
@pytest.mark.slow
def test_nonsense_is_refused(sizes: dict[str, int], told: str) -> None:
    with pytest.raises(InputError, match=told):
        measure_explorers(**sizes)
