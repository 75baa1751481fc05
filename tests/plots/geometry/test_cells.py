"""Do the cells' figures hold each used code, and lines of the powers they name?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lgq_explore.frames.geometry import CODE_CELLS, DENSITY_EXPONENTS
from lgq_explore.plots.geometry import publish_code_cells
from tests.plots.filled_frames import filled


def cells() -> pd.DataFrame:
    """Four codes, of which one has no tokens and one has too few for a shape."""
    return filled(
        CODE_CELLS,
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
        },
    )


def exponents() -> pd.DataFrame:
    return filled(
        DENSITY_EXPONENTS,
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
        },
    )


def test_dots_are_the_codes_that_are_used_and_grey_those_without_a_shape() -> None:
    figure = publish_code_cells(cells(), exponents(), name="lgq")
    dots = [[grey.get_offsets().tolist(), shaped.get_offsets().tolist()] for grey, shaped in collections(figure)]
    assert dots[0] == [[[0.0, 0.4]], [[2.0, 0.1], [1.0, 0.2]]]
    assert dots[1] == [[[0.0, 0.05]], [[2.0, 0.6], [1.0, 0.35]]]
    assert dots[2][1] == [[2.0, 1.2], [1.0, 1.5]]
    assert [shaped.get_array().tolist() for _, shaped in collections(figure)] == [[1.2, 1.5]] * 3
    title = " ".join(text.get_text() for text in figure.texts)
    for fact in (
        r"Cells\ of\ lgq",
        "N = 105 tokens",
        "3 of 4 codes used",
        "3 fitted (≥ 5 tokens)",
        "grey under 10 tokens",
    ):
        assert fact in title


def collections(figure: Figure) -> list[list[PathCollection]]:
    return [list(axes.collections) for axes in figure.axes]


def test_lines_have_the_slopes_that_they_name_and_meet_in_the_middle() -> None:
    volume, occupancy, anisotropy = publish_code_cells(cells(), exponents()).axes
    slopes = [
        {line.get_label(): slope_of(line) for line in lines} for lines in (volume.get_lines(), occupancy.get_lines())
    ]
    expected = [
        {"fitted −0.70 [−0.90, −0.50]": -0.7, "optimum −0.50": -0.5, "uniform grid 0": 0},
        {"fitted 1.20 [1.00, 1.40]": 1.2, "optimum 0.50": 0.5, "uniform grid 1": 1},
    ]
    for found, slope in zip(slopes, expected, strict=True):
        assert found == pytest.approx(slope, abs=1e-9)
    for line in volume.get_lines():
        assert np.exp(np.interp(1.0, line.get_xdata(), np.log(line.get_ydata()))) == pytest.approx(0.2)
        assert list(line.get_xdata()) == [0, 2]
    assert anisotropy.get_lines() == []
    assert volume.get_yscale() == "log"


def slope_of(line: Line2D) -> float:
    return np.diff(np.log(line.get_ydata())).item() / np.diff(line.get_xdata()).item()


def test_cells_without_any_shape_are_drawn_in_grey() -> None:
    figure = publish_code_cells(cells().assign(anisotropy=np.nan), exponents())
    assert [len(dots.get_offsets()) for axes in figure.axes[:2] for dots in axes.collections] == [3, 0] * 2
