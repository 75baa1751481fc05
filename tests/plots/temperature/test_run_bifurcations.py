"""Does the figure of a run's bifurcations show every code once, and the temperatures beside τ_c?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lgq_explore.errors import InputError
from lgq_explore.plots.temperature import draw_bifurcations, publish_bifurcations

BIFURCATIONS = pd.DataFrame(
    {
        "step": [0, 50, 100],
        "temperature": [1.0, 0.55, 0.1],
        "critical_temperature": 2.0,
        "to_split": [0, 3, 10],
        "settled": [12, 11, 5],
        "idle": [4, 2, 1],
        "tokens": 4096,
    }
)


def test_the_bars_of_a_snapshot_are_all_its_codes() -> None:
    figure = draw_bifurcations(BIFURCATIONS)
    bars = [np.asarray(trace.y) for trace in figure.data if trace.type == "bar"]
    assert sum(bars).tolist() == [16, 16, 16]
    assert {trace.name: list(trace.y) for trace in figure.data}["cold enough to split"] == [0, 3, 10]
    assert "K = 16, N = 4,096 tokens" in figure.layout.title.text


def test_the_temperature_stands_beside_the_critical_one() -> None:
    lines = {trace.name: list(trace.y) for trace in draw_bifurcations(BIFURCATIONS).data if trace.type == "scatter"}
    assert lines == {"temperature in force": [1.0, 0.55, 0.1], "τ_c of the tokens": [2.0, 2.0, 2.0]}


def test_the_printed_twin_shows_the_same() -> None:
    above, below = publish_bifurcations(BIFURCATIONS).axes
    tops = [patch.get_y() + patch.get_height() for patch in above.patches]
    assert tops[-3:] == [16, 16, 16]
    assert [line.get_ydata().tolist() for line in below.lines] == [[1.0, 0.55, 0.1], [2.0, 2.0, 2.0]]


def test_another_frame_is_refused() -> None:
    with pytest.raises(InputError, match=r"lacks the columns \['critical_temperature'"):
        draw_bifurcations(pd.DataFrame({"step": [1]}))
    with pytest.raises(InputError, match="has 0 rows"):
        publish_bifurcations(BIFURCATIONS[:0])
