"""Tests of the figures of costs and shares."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from benchmarks.figures import (
    ASSIGNMENT_LOOKS,
    COST_COLUMNS,
    SHARE_COLUMNS,
    publish_assignment_costs,
    publish_quantizer_shares,
)
from lgq_explore.errors import InputError
from lgq_explore.plots.style import METHOD_COLOURS

NOT_RUN = (np.nan, np.nan)
NO_RATIO = (np.nan, np.nan)


def costs() -> pd.DataFrame:
    rows = [
        ("dense", 4096, 1024, 16, 0.3, 130.0, 100.0, *NO_RATIO),
        ("lgq", 4096, 1024, 16, 0.1, 40.0, 0.0, 3.1, 3.25),
        ("SimVQ", 4096, 1024, 16, 0.05, 50.0, 17.0, *NO_RATIO),
        ("dense", 4096, 65536, 16, *NOT_RUN, 6400.0, *NO_RATIO),
        ("lgq", 4096, 65536, 16, 4.0, 60.0, 0.0, *NO_RATIO),
        ("SimVQ", 4096, 65536, 16, 2.0, 1100.0, 1074.0, *NO_RATIO),
    ]
    return pd.DataFrame(rows, columns=COST_COLUMNS)


def lines(axes: Axes) -> dict[str, list[tuple[float, float]]]:
    """Points of each line by its colour."""
    found = {}
    for line in axes.get_lines():
        if len(line.get_xdata()) and line.get_linestyle() != "None":
            found[str(line.get_color())] = list(zip(line.get_xdata(), line.get_ydata(), strict=True))
    return found


def test_each_panel_shows_its_costs_in_the_methods_colours() -> None:
    figure = publish_assignment_costs(costs(), 1.0)
    time, memory = figure.axes
    blue, black, green = (ASSIGNMENT_LOOKS[method].colour for method in ("lgq", "dense", "SimVQ"))
    assert lines(time) == {black: [(1024, 0.3)], blue: [(1024, 0.1), (65536, 4.0)], green: [(1024, 0.05), (65536, 2.0)]}
    assert lines(memory)[blue] == [(1024, 40.0), (65536, 60.0)]
    assert {axis.get_yscale() for axis in (time, memory)} == {axis.get_xscale() for axis in (time, memory)} == {"log"}
    assert "N = 4,096 tokens, D = 16, τ = 1" in figure.get_suptitle()


def test_the_library_s_classes_have_their_methods_colours_and_all_can_be_told_apart_in_grey() -> None:
    for ours, theirs in (("vq", "VectorQuantize"), ("simvq", "SimVQ"), ("fsq", "FSQ"), ("lgq", "lgq")):
        assert ASSIGNMENT_LOOKS[theirs].colour == METHOD_COLOURS[ours]
    assert len({look.marker for look in ASSIGNMENT_LOOKS.values()}) == len(ASSIGNMENT_LOOKS)


def test_what_was_not_run_is_hollow_at_its_computed_memory_and_has_no_time() -> None:
    figure = publish_assignment_costs(costs(), 1.0)
    time, memory = figure.axes
    (hollow,) = (line for line in memory.get_lines() if line.get_label() == "computed, not run")
    assert hollow.get_markerfacecolor() == "white"
    assert (list(hollow.get_xdata()), list(hollow.get_ydata())) == ([65536], [6400.0])
    assert all(line.get_label() != "computed, not run" for line in time.get_lines())
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["dense", "lgq", "SimVQ", "computed, not run"]
    (of_all_run,) = publish_assignment_costs(costs().iloc[:3], 1.0).legends
    assert [text.get_text() for text in of_all_run.get_texts()] == ["dense", "lgq", "SimVQ"]


def test_the_ratios_are_those_of_the_frame() -> None:
    time, memory = publish_assignment_costs(costs(), 1.0).axes
    assert [text.get_text() for text in time.texts] == ["3.1×"]
    assert [text.get_text() for text in memory.texts] == ["3.2×"]
    many = costs().assign(times_less_memory=[np.nan, 125.6, *[np.nan] * 4])
    assert [text.get_text() for text in publish_assignment_costs(many, 1.0).axes[1].texts] == ["126×"]


def test_shares_are_drawn_in_percent() -> None:
    rows = [("lgq", 1024, 0.25), ("lgq", 4096, 0.5), ("fsq", 1000, 0.01), ("fsq", 4375, np.nan)]
    (axes,) = publish_quantizer_shares(pd.DataFrame(rows, columns=SHARE_COLUMNS)).axes
    shown = lines(axes)
    assert shown[METHOD_COLOURS["lgq"]] == [(1024, 25.0), (4096, 50.0)]
    assert shown[METHOD_COLOURS["fsq"]][0] == (1000, 1.0)
    assert list(axes.get_xticks()) == [1024, 4096]
    assert axes.get_ylim() == (0, 100)


def test_an_empty_frame_can_be_printed_too() -> None:
    shares = pd.DataFrame(columns=SHARE_COLUMNS)
    for figure in (publish_assignment_costs(costs().iloc[:0], 1.0), publish_quantizer_shares(shares)):
        figure.savefig(BytesIO())
        assert [text.get_text() for text in figure.texts] == ["Nothing has been measured yet."]


def test_other_frames_are_refused() -> None:
    with pytest.raises(InputError, match="step"):
        publish_assignment_costs(pd.DataFrame({"step": [1]}), 1.0)
    with pytest.raises(InputError, match="method, codes, share"):
        publish_quantizer_shares(costs())
    with pytest.raises(InputError, match="several"):
        publish_assignment_costs(costs().assign(tokens=[1, 2, 3, 4, 5, 6]), 1.0)
    with pytest.raises(InputError, match="'faiss'"):
        publish_assignment_costs(costs().replace({"method": {"SimVQ": "faiss"}}), 1.0)
