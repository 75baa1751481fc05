"""Do the cells' figures hold each used code, and lines of the powers they name?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lgq_explore.errors import InputError
from lgq_explore.plots.geometry import draw_code_cells, publish_code_cells


def cells() -> pd.DataFrame:
    """Four codes, of which one has no tokens and one has too few for a shape."""
    return pd.DataFrame(
        {
            "code": [0, 1, 2, 3],
            "count": [60, 40, 5, 0],
            "occupancy": [0.6, 0.35, 0.05, 0.0],
            "mean_log_density": [2.0, 1.0, 0.0, np.nan],
            "volume": [0.1, 0.2, 0.4, np.nan],
            "anisotropy": [1.2, 1.5, np.nan, np.nan],
            "tokens": 105,
            "dimension": 2.0,
            "shape_tokens": 10.0,
        }
    )


def exponents() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "quantity": ["volume", "occupancy", "distortion_share"],
            "exponent": [-0.7, 1.2, 0.1],
            "low": [-0.9, 1.0, 0.0],
            "high": [-0.5, 1.4, 0.2],
            "theory": [-0.5, 0.5, 0.0],
            "cells": 3,
            "fewest_tokens": 5,
            "centre": 1.0,
            "level": [np.log(0.2), np.log(0.3), 0.0],
        }
    )


def test_dots_are_the_codes_that_are_used_and_grey_those_without_a_shape() -> None:
    figure = draw_code_cells(cells(), exponents(), name="lgq")
    dots = [trace for trace in figure.data if trace.mode == "markers"]
    assert [[code for code, _ in trace.customdata] for trace in dots] == [[2], [0, 1]] * 3
    assert [trace.yaxis for trace in dots] == ["y", "y", "y2", "y2", "y3", "y3"]
    assert list(dots[0].y) == [0.4]
    assert list(dots[1].y) == [0.1, 0.2]
    assert list(dots[1].marker.color) == [1.2, 1.5]
    assert list(dots[3].y) == [0.6, 0.35]
    assert list(dots[5].y) == [1.2, 1.5]
    title = figure.layout.title.text
    for fact in (
        "Cells of lgq",
        "N = 105 tokens",
        "3 of 4 codes used",
        "3 fitted (≥ 5 tokens)",
        "grey under 10 tokens",
    ):
        assert fact in title


def test_lines_have_the_slopes_that_they_name_and_meet_in_the_middle() -> None:
    figure = draw_code_cells(cells(), exponents())
    lines = [trace for trace in figure.data if trace.mode == "lines"]
    slopes = {(line.name, line.yaxis): np.diff(np.log(line.y)).item() / np.diff(line.x).item() for line in lines}
    assert slopes == pytest.approx(
        {
            ("fitted −0.70 [−0.90, −0.50]", "y"): -0.7,
            ("optimum −0.50", "y"): -0.5,
            ("uniform grid 0", "y"): 0,
            ("fitted 1.20 [1.00, 1.40]", "y2"): 1.2,
            ("optimum 0.50", "y2"): 0.5,
            ("uniform grid 1", "y2"): 1,
        },
        abs=1e-9,
    )
    for line in lines[:3]:
        assert np.exp(np.interp(1.0, line.x, np.log(line.y))) == pytest.approx(0.2)
        assert list(line.x) == [0, 2]


def test_the_printed_figure_holds_the_same() -> None:
    volume, occupancy, anisotropy = publish_code_cells(cells(), exponents()).axes
    assert [len(dots.get_offsets()) for dots in volume.collections] == [1, 2]
    drawn = draw_code_cells(cells(), exponents())
    lines = [trace for trace in drawn.data if trace.mode == "lines"]
    printed = [*volume.get_lines(), *occupancy.get_lines()]
    assert [line.get_label() for line in printed] == [line.name for line in lines]
    for one, other in zip(printed, lines, strict=True):
        np.testing.assert_allclose(one.get_ydata(), other.y)
    assert anisotropy.get_lines() == []
    assert volume.get_yscale() == "log"


def test_cells_without_any_shape_are_drawn_in_grey() -> None:
    shapeless = cells().assign(anisotropy=np.nan)
    figure = draw_code_cells(shapeless, exponents())
    assert [len(trace.x) for trace in figure.data if trace.mode == "markers"] == [3, 0] * 3
    publish_code_cells(shapeless, exponents())


@pytest.mark.parametrize("draw", [draw_code_cells, publish_code_cells])
def test_another_frame_is_refused(draw: object) -> None:
    with pytest.raises(InputError, match="give one of code_cells"):
        draw(cells().drop(columns="volume"), exponents())
    with pytest.raises(InputError, match="give one of density_exponents"):
        draw(cells(), exponents().iloc[:0])
