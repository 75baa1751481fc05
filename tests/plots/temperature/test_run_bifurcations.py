"""Does the figure of a run's bifurcations show every code once, and the temperatures beside τ_c?"""

from __future__ import annotations

from lgq_explore.frames import temperature
from lgq_explore.plots.temperature import publish_bifurcations
from tests.plots.filled_frames import filled

BIFURCATIONS = filled(
    temperature.BIFURCATIONS,
    {
        "step": [0, 50, 100],
        "temperature": [1.0, 0.55, 0.1],
        "critical_temperature": 2.0,
        "to_split": [0, 3, 10],
        "settled": [12, 11, 5],
        "idle": [4, 2, 1],
        "tokens": 4096,
    },
)


def test_the_bars_of_a_snapshot_are_all_its_codes() -> None:
    figure = publish_bifurcations(BIFURCATIONS)
    above, _ = figure.axes
    heights = [[bar.get_height() for bar in bars] for bars in above.containers]
    assert heights == [[12, 11, 5], [0, 3, 10], [4, 2, 1]]
    tops = [bar.get_y() + bar.get_height() for bar in above.patches]
    assert tops[-3:] == [16, 16, 16]
    assert "K = 16, N = 4,096 tokens" in " ".join(text.get_text() for text in figure.texts)


def test_the_temperature_stands_beside_the_critical_one() -> None:
    _, below = publish_bifurcations(BIFURCATIONS).axes
    assert [line.get_ydata().tolist() for line in below.lines] == [[1.0, 0.55, 0.1], [2.0, 2.0, 2.0]]
