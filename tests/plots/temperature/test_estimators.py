"""Does the comparison of estimators show each of them, in both measures?"""

from __future__ import annotations

import pandas as pd
import pytest

from lgq_explore.errors import InputError
from lgq_explore.plots.temperature import draw_estimators, publish_estimators


def comparison() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "temperature": [0.1, 0.1, 1.0, 1.0],
            "estimator": ["straight-through", "lgq"] * 2,
            "cosine": [0.6, 0.9, 0.6, 0.7],
            "variance_ratio": [0.5, 1.3, 0.5, 0.2],
            "sigma": 0.21,
            "pairs": 64,
            "agreement": 0.4,
        }
    )


def test_each_estimator_has_a_line_in_both_panels() -> None:
    figure = draw_estimators(comparison())
    lines = {(trace.name, trace.yaxis): list(trace.y) for trace in figure.data}
    assert lines == {
        ("straight-through", "y"): [0.6, 0.6],
        ("lgq", "y"): [0.9, 0.7],
        ("straight-through", "y2"): [0.5, 0.5],
        ("lgq", "y2"): [1.3, 0.2],
    }
    assert "σ = 0.21, 64 antithetic pairs" in figure.layout.title.text
    assert [trace.showlegend for trace in figure.data] == [True, True, False, False]


def test_the_printed_lines_are_those_of_the_interactive_ones() -> None:
    cosine, variance = publish_estimators(comparison()).axes
    assert [list(line.get_ydata()) for line in cosine.get_lines()[:2]] == [[0.6, 0.6], [0.9, 0.7]]
    assert [list(line.get_ydata()) for line in variance.get_lines()[:2]] == [[0.5, 0.5], [1.3, 0.2]]


@pytest.mark.parametrize("frame", [comparison().drop(columns="sigma"), comparison().iloc[:0]])
def test_another_frame_is_refused(frame: pd.DataFrame) -> None:
    for show in (draw_estimators, publish_estimators):
        with pytest.raises(InputError, match="give one of compare_estimators"):
            show(frame)
