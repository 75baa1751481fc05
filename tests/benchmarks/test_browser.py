"""Tests of the benchmark of panels in a browser."""

from __future__ import annotations

import json
import statistics
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from benchmarks.browser import page as browser_page
from benchmarks.browser.__main__ import main
from benchmarks.browser.cells import MAPS, TEMPERATURE_PANEL, map_notebook
from benchmarks.browser.explorers import NEEDS, REPEATS, BrowserSizes
from benchmarks.browser.page import require_browser
from benchmarks.browser.table import MAP_COLUMNS, markdown_table
from lgq_explore.errors import InputError

SMALL = ("--codebook-size", "64", "--tokens", "100", "--moves", "2", "--rounds", "1", "--data", "fake")


@pytest.mark.browser
def test_the_command_measures_in_a_browser_and_keeps_what_it_prints(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main([*SMALL, "--json", "--out", str(tmp_path)]) == 0
    streams = capfd.readouterr()
    measured = json.loads(streams.out)
    (file,) = tmp_path.iterdir()
    assert str(file) in streams.err
    assert json.loads(file.read_bytes()) == measured

    *panels, ours, rival = measured["results"]
    assert [panel["move"] for panel in panels] == ["to an end", "to the next"]
    for panel in panels:
        assert (panel["panel"], panel["codes"], panel["charts"]) == ("temperature", 64, 3)
        assert len(panel["redraws"]) == 2
        assert len(panel["redraw_seconds"]) == sum(panel["redraws"]) >= 2
        assert panel["redraw_megabytes"] > 0.02  # more than a slider's echo
        for answer, whole in zip(panel["answer_seconds"], panel["whole_seconds"], strict=True):
            assert 0 < min(panel["redraw_seconds"]) < answer <= whole

    assert [ours["drawn_by"], rival["drawn_by"]] == list(MAPS)
    assert_is_measured(ours)
    if find_spec(NEEDS["jupyter-scatter"]):
        assert_is_measured(rival)
    else:
        assert rival["not_run"] == "jupyter-scatter is not installed"
        assert rival["median_move_seconds"] is None
    assert "SwiftShader" in measured["protocol"]["renderer"]
    assert "| temperature | to an end |" in markdown_table(measured)


def assert_is_measured(each: dict[str, Any]) -> None:
    """Every time is there and above 0, and a lasso around the middle half caught some codes and not a token."""
    assert each["not_run"] is None
    assert (each["codes"], each["tokens"]) == (64, 100)
    assert 0 < each["selected"] <= 64
    assert each["opening_megabytes"] > 1
    assert len(each["recolour_seconds"]) == len(each["move_seconds"]) == REPEATS
    assert each["frames"][0] == len(each["frame_seconds"]) > 10
    assert each["longest_frame_seconds"] == [max(each["frame_seconds"])]
    for column in MAP_COLUMNS:
        seconds = each[f"{column}_seconds"]
        assert min(seconds) > 0
        assert each[f"median_{column}_seconds"] == statistics.median(seconds)


def test_the_table_has_both_ways_to_draw_a_map_and_says_which_was_not_run() -> None:
    medians = {f"median_{column}_seconds": 0.1 + place for place, column in enumerate(MAP_COLUMNS)}
    sizes = {"panel": "map", "codes": 16384, "tokens": 20000}
    panel = {
        **sizes,
        "panel": "temperature",
        "tokens": 4096,
        "move": "to the next",
        "charts": 5,
        "redraws": [1, 2, 1],
        "median_answer_seconds": 0.25,
        "median_whole_seconds": 0.5,
        "median_redraw_seconds": 0.0625,
        "redraw_megabytes": 0.25,
    }
    measured = {
        "date": "2020-02-29",
        "device": "a machine",
        "versions": {"plotly": "7", "chromium": "156"},
        "protocol": dict(clock="the page's clock", renderer="SwiftShader", rounds=1, repeats=3, drag_steps=40),
        "results": [
            panel,
            {**sizes, "drawn_by": "scattergl", "pixels": [300, 200], "not_run": None, **medians},
            {**sizes, "drawn_by": "jupyter-scatter", "pixels": None, "not_run": "it is not installed"},
        ],
    }
    lines = markdown_table(measured).splitlines()
    assert lines[2] == "| temperature | to the next | 4,096 | 16,384 | 250 | 500 | 62.5 | 0.25 |"
    assert lines[6] == ("| `scattergl` | 16,384 | 20,000 | 100 | 1,100 | 2,100 | 3,100 | 4,100 | 5,100 | 6,100 |")
    assert lines[7] == "| `jupyter-scatter` | 16,384 | 20,000 | it is not installed |  |  |  |  |  |  |"
    for told in ("3 keys pressed, 2 of them", "1 round in turn", "300 × 200 for `scattergl`.", "2020-02-29, a machine"):
        assert told in lines[-1]


@pytest.mark.parametrize("needed", [TEMPERATURE_PANEL[0], MAPS["canvas"][0]])
def test_the_cells_import_what_there_is(needed: str) -> None:
    exec(needed, {})


@pytest.mark.parametrize("way", MAPS)
def test_the_cells_are_python(way: str) -> None:
    needed, panel = map_notebook(way, codes=16, tokens=20)
    assert "size=16" in needed
    compile(needed, "needed", "exec")
    compile(panel, "panel", "exec")


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ({"codes": 1}, "codes is 1: give at least 2"),
        ({"tokens": 0}, "tokens is 0: give at least 1"),
        ({"moves": 0}, "moves is 0: give at least 1"),
        ({"rounds": 0}, "rounds is 0: give at least 1"),
    ],
)
def test_nonsense_is_refused(sizes: dict[str, int], told: str) -> None:
    with pytest.raises(InputError, match=told):
        BrowserSizes(**sizes)


def test_a_missing_browser_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser_page, "find_browser", lambda: None)
    with pytest.raises(InputError, match="no Chromium or Chrome") as told:
        require_browser()
    assert "make browser" in str(told.value)
    assert len(str(told.value).splitlines()) == 2
