"""Does the comparison of estimators show each of them, in both measures?"""

from __future__ import annotations

import pandas as pd

from lgq_explore.frames.temperature import ESTIMATORS
from lgq_explore.plots.temperature import publish_estimators
from tests.plots.filled_frames import filled


def comparison() -> pd.DataFrame:
    return filled(
        ESTIMATORS,
        {
            "temperature": [0.1, 0.1, 1.0, 1.0],
            "estimator": ["straight-through", "lgq"] * 2,
            "cosine": [0.6, 0.9, 0.6, 0.7],
            "variance_ratio": [0.5, 1.3, 0.5, 0.2],
            "sigma": 0.21,
            "pairs": 64,
            "agreement": 0.4,
        },
    )


def test_each_estimator_has_a_line_in_both_panels() -> None:
    figure = publish_estimators(comparison())
    cosine, variance = figure.axes
    assert {line.get_label(): list(line.get_ydata()) for line in cosine.get_lines()[:2]} == {
        "straight-through": [0.6, 0.6],
        "lgq": [0.9, 0.7],
    }
    assert [list(line.get_ydata()) for line in variance.get_lines()[:2]] == [[0.5, 0.5], [1.3, 0.2]]
    assert "σ = 0.21, 64 antithetic pairs" in " ".join(text.get_text() for text in figure.texts)
