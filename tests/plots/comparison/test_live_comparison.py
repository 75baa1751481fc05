"""Do the charts of a comparison show what their frames hold, by the same numbers, and names as text?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lgq_explore import plots
from lgq_explore.errors import InputError
from lgq_explore.frames.comparison import CURVE_LINES, DISAGREEMENT, GROUP_NUMBERS, RUN_NUMBERS
from lgq_explore.plots.comparison import Numbered, PairPicture
from lgq_explore.plots.pictures import token_map
from lgq_explore.plots.style import ON_TOP, Title
from tests.plots.filled_frames import filled

HOSTILE = "<img src=x onerror=alert(1)> %{x}"
GROUPS = {"lgq": "lgq", HOSTILE: "vq", "none": "none"}
NUMBERED = Numbered.of([*GROUPS], [f"{group} {seed}" for group in GROUPS for seed in (0, 1)])


def numbers(number: str, **changed: Any) -> pd.DataFrame:
    values = {"lgq": 20.0, HOSTILE: 19.0, "none": 25.0 if number == "psnr_db" else math.nan}
    interval = {"low": math.nan, "high": math.nan, "level": math.nan, "seeds": 2, "photographs": 12}
    return filled(
        GROUP_NUMBERS,
        [
            {"group": group, "method": method, "number": number, "estimate": values[group]} | interval | changed
            for group, method in GROUPS.items()
        ],
    )


def runs(*of: str) -> pd.DataFrame:
    return filled(
        RUN_NUMBERS,
        [
            {
                "run": f"{group} {seed}",
                "group": group,
                "method": GROUPS[group],
                "seed": seed,
                "replicate": seed,
                "number": number,
                "value": math.nan if group == "none" and number != "psnr_db" else 20.0 + seed,
            }
            for group in GROUPS
            for seed in (0, 1)
            for number in of
        ],
    )


def test_each_group_and_run_is_a_point_with_its_number() -> None:
    figure = plots.comparison.draw_group_numbers(numbers("psnr_db"), runs("psnr_db"), NUMBERED)
    of_runs, means = figure.data
    assert means.x == (20.0, 19.0, 25.0)
    assert means.customdata == tuple(NUMBERED.groups.values())
    assert of_runs.customdata == tuple(NUMBERED.runs.values())
    assert of_runs.marker.symbol == ("circle", "circle-open") * 3
    assert "<img" not in figure.to_json()
    assert "2 seeds, no intervals" in figure.layout.title.text
    assert "seed 1, rounding replicate 1: 21.00 dB" in of_runs.text[1]


def test_intervals_are_bars_and_what_was_not_measured_is_said() -> None:
    with_ends = plots.comparison.draw_group_numbers(
        numbers("psnr_db", low=18.5, high=25.5, level=0.95), runs("psnr_db"), NUMBERED
    )
    assert with_ends.data[1].error_x.array == (5.5, 6.5, 0.5)
    assert "bars: 95% intervals" in with_ends.layout.title.text
    nothing = numbers("ssim", estimate=math.nan, why="It was not measured.")
    figure = plots.comparison.draw_group_numbers(nothing, runs("ssim").iloc[:0], NUMBERED)
    assert figure.layout.annotations[0].text == "It was not measured."
    assert figure.layout.annotations[0].visible


def test_rate_and_distortion_have_points_lines_and_what_has_no_codes() -> None:
    both = pd.concat([numbers("psnr_db"), numbers("entropy_bits")], ignore_index=True)
    lines = filled(CURVE_LINES, [{"method": "lgq", "entropy_bits": 4.0, "psnr_db": 20.0}] * 2)
    figure = plots.comparison.draw_rate_distortion(both, runs("psnr_db", "entropy_bits"), lines, NUMBERED)
    names = [trace.name for trace in figure.data if trace.name]
    assert names == ["none (no codes)", "lgq", "vq"]
    found = plots.comparison.mark_rate_distortion(figure, 4.25, NUMBERED.groups["lgq"])
    assert (found.data[0].meta, found.data[0].x, found.data[0].y) == (ON_TOP, (20.0,), (20.0,))
    assert (found.layout.shapes[0].x0, found.layout.shapes[0].name) == (4.25, ON_TOP)
    nothing = plots.comparison.mark_rate_distortion(figure, None, None)
    assert (nothing.data, nothing.layout.shapes) == ((), ())
    assert "<img" not in figure.to_json()


def test_crops_stand_in_the_order_of_their_rows() -> None:
    frame = filled(DISAGREEMENT, {"photograph": ["a", "a", HOSTILE], "crop": [1, 2, 1], "difference": [2.0, 0.5, -1.0]})
    figure = plots.comparison.draw_disagreement(frame, "lgq", HOSTILE)
    assert (figure.data[0].x, figure.data[0].y) == ((1, 2, 3), (2.0, 0.5, -1.0))
    assert "N = 3 crops of 2 photographs" in figure.layout.title.text
    assert "<img" not in figure.to_json()
    assert plots.comparison.mark_disagreement(2).layout.shapes[0].x0 == 2


def test_pictures_are_of_one_size_whatever_their_pixels() -> None:
    crop, tokens = np.zeros((3, 32, 32), dtype=np.uint8), token_map(np.arange(16).reshape(4, 4))
    shown = [PairPicture("original", crop), PairPicture(HOSTILE, tokens)]
    figure = plots.comparison.draw_pair_pictures(shown, Title("Rank 1", HOSTILE))
    first, second = figure.data
    assert (first.x0, first.dx, second.x0, second.dx) == (0.5, 1, 4, 8)
    assert (figure.layout.xaxis2.matches, figure.layout.yaxis2.matches) == ("x", "y")
    assert "<img" not in figure.to_json()
    with pytest.raises(InputError, match="give at least one"):
        plots.comparison.draw_pair_pictures([], Title("", ""))
    with pytest.raises(InputError, match=r"picture 'flat' has the shape \[3, 2, 4\]"):
        plots.comparison.draw_pair_pictures([PairPicture("flat", crop[:, :2, :4])], Title("", ""))


def test_a_group_named_like_a_run_has_another_number() -> None:
    numbered = Numbered.of(["a"], ["a", "b"])
    assert (numbered.groups, numbered.runs) == ({"a": 2}, {"a": 0, "b": 1})
