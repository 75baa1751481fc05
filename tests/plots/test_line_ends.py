"""Do seeds share a band, and do names stand at the ends of lines without touching each other?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lgq_explore.frames import Columns
from lgq_explore.plots.line_ends import LABEL_HEIGHT, EndLabel, band, end_labels, seed_groups
from lgq_explore.plots.run_looks import rows_of_runs

COLUMNS = Columns("analysis.x", {"x": ("int64", "a number")})


def grouped(methods: dict[str, str]) -> dict[str, list[str]]:
    frame = pd.DataFrame({"run": list(methods), "x": 1})
    groups = seed_groups(rows_of_runs(frame, COLUMNS, methods))
    return {group.label: [part.run for part in group.parts] for group in groups}


def test_runs_that_differ_in_their_seed_belong_together() -> None:
    methods = {"lgq, seed 0": "lgq", "vq": "vq", "lgq, seed 11": "lgq"}
    assert grouped(methods) == {"lgq ×2": ["lgq, seed 0", "lgq, seed 11"], "vq": ["vq"]}
    folders = {"runs/k64-seed0": "lgq", "runs/k128-seed0": "lgq", "runs/k64-seed1": "lgq"}
    assert grouped(folders) == {
        "runs/k64 ×2": ["runs/k64-seed0", "runs/k64-seed1"],
        "runs/k128-seed0": ["runs/k128-seed0"],
    }


def test_runs_of_two_methods_never_belong_together() -> None:
    assert list(grouped({"a seed 0": "lgq", "a seed 1": "vq"})) == ["a seed 0", "a seed 1"]


def test_a_band_reaches_from_the_lowest_to_the_highest_where_all_lines_are() -> None:
    low, high = band([([1, 2, 3], [5.0, 1.0, np.nan]), ([1, 2, 3], [4.0, 6.0, 2.0])], "#0072B2")
    assert (list(low["x"]), list(low["y"]), list(high["y"])) == ([1, 2], [4, 1], [5, 6])
    low, high = band([([0, 4], [0.0, 4.0]), ([2, 3], [0.0, 9.0])], "#0072B2")
    assert (list(low["x"]), list(low["y"]), list(high["y"])) == ([2, 3], [0, 3], [2, 9])
    assert band([([1], [1.0])], "#0072B2") == []


@pytest.mark.parametrize("ends", [[0.5], [1.0] * 12, [0.0] * 12, [0.5, 0.51, 0.52, 0.99], [-3.0, 7.0]])
def test_names_stand_apart_within_the_plot_in_the_order_of_their_lines(ends: list[float]) -> None:
    height = 240.0
    labels = [EndLabel(str(place), "#000000", end) for place, end in enumerate(ends)]
    notes = end_labels(labels, height)
    places = np.array([note["y"] for note in notes])
    assert (np.diff(places) > (LABEL_HEIGHT - 0.01) / height).all()
    assert -0.01 <= places.min() <= places.max() <= 1
    drawn = [ends[int(note["text"])] for note in notes]
    assert drawn == sorted(ends)


def test_a_name_with_room_stands_where_its_line_ends() -> None:
    low, high = end_labels([EndLabel("a", "#000000", 0.9), EndLabel("b", "#000000", 0.2)], 240)
    assert (low["text"], low["y"]) == ("b", pytest.approx(0.2))
    assert (high["text"], high["y"]) == ("a", pytest.approx(0.9))


def test_a_long_name_keeps_its_beginning_and_its_end() -> None:
    (note,) = end_labels([EndLabel("tutorial-lgq-c702d8b69072-seed0", "#000000", 0.5)], 240)
    assert note["text"] == "tutorial-lg…8b69072-seed0"[:12] + "8b69072-seed0"[-12:]
