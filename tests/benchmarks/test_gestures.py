"""Do the benchmarks of a lasso and of all controls measure in a browser, and say what they measured?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.browser import gestures, lasso

MEASURED = {"date": "2026-11-28", "device": "a processor", "protocol": {"repeats": 3}}
RESULT = {"panel": "usage", "codes": 1024, "opening_seconds": 2.5, "heap_megabytes": 66.0}


def table_of(*results: dict[str, Any]) -> str:
    return gestures.markdown_table(MEASURED | {"results": list(results)})


def only_result(folder: Path) -> dict[str, Any]:
    (file,) = folder.iterdir()
    return json.loads(file.read_bytes())


@pytest.mark.browser
def test_every_way_to_draw_a_lasso_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert lasso.main(["--codes", "64", "--rounds", "1", "--out", str(tmp_path)]) == 0
    results = only_result(tmp_path)["results"]
    assert [result["way"] for result in results] == list(lasso.WAYS)
    assert all(min(result[f"{column}_seconds"]) > 0 for result in results for column in lasso.COLUMNS)
    assert "| 64 | WebGL, ours |" in capsys.readouterr().out


@pytest.mark.browser
def test_every_control_of_a_panel_is_moved(tmp_path: Path) -> None:
    sizes = ["--codes", "64", "--repeats", "1", "--data", "fake"]
    assert gestures.main([*sizes, "--panels", "usage", "--out", str(tmp_path)]) == 0
    (result,) = only_result(tmp_path)["results"]
    assert {"codes", "tab definitions", "at least m hits"} <= result["control_seconds"].keys()  # also those of a tab
    assert "map of" not in result["control_seconds"]  # a menu of one entry changes nothing
    assert all(0 < seconds < 60 for times in result["control_seconds"].values() for seconds in times)
    assert result["heap_megabytes"] > 10


def test_the_table_names_the_slowest_control() -> None:
    times = {"colour": [0.1, 0.12, 0.11], "map by": [0.2, 0.3, 0.25], "nothing": []}
    whole = {"colour": [0.3, 0.3, 0.3], "map by": [0.2, 0.4, 0.35], "nothing": []}
    table = table_of(RESULT | {"control_seconds": times, "whole_seconds": whole})
    assert "| usage | 1,024 | 2.5 | 66 | 160 | map by | 250 | 350 |\n" in table
    assert table.endswith(
        "Medians of 3 moves of each control, on and back, by the page's clock. 2026-11-28, a processor."
    )


def test_a_result_without_the_times_of_all_charts_leaves_their_column_empty() -> None:
    assert "| colour | 100 |  |\n" in table_of(RESULT | {"control_seconds": {"colour": [0.1]}})


def test_a_panel_without_an_answer_has_a_row_too() -> None:
    assert "| usage | 1,024 |" in table_of(RESULT | {"control_seconds": {"menu": []}})


def test_a_panel_that_failed_says_why_in_its_row() -> None:
    failed = {"panel": "toys", "codes": 64, "failed": "the kernel is gone\nits log has more"}
    table = table_of(RESULT | {"control_seconds": {"menu": [0.1]}}, failed)
    assert table.splitlines()[2].startswith("| usage | 1,024 | 2.5 |")
    assert "the kernel is gone |" in table.splitlines()[3]
    assert "its log has more" not in table
