"""Is each run's efficiency where it belongs, in every measure?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lgq_explore.errors import InputError
from lgq_explore.plots.geometry import draw_efficiency, publish_efficiency

METHODS = {"mine": "lgq", "grid": "fsq"}


def efficiency() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "run": ["mine", "mine", "grid", "grid"],
            "measure": ["latents", "pixels"] * 2,
            "efficiency": [0.8, 0.7, 0.3, 1.2],
            "spread": [0.01, 0.02, 0.01, np.nan],
            "cell_means_efficiency": [0.9, 0.75, 0.5, 1.3],
            "restarts": [20, 3] * 2,
            "images": [368, 128] * 2,
            "tokens": [23552, 8192] * 2,
            "fit_tokens": 16384,
            "codebook_size": [1024, 1024, 1000, 1000],
        }
    )


def test_each_run_has_a_dot_and_a_ring_in_each_measure() -> None:
    figure = draw_efficiency(efficiency(), METHODS)
    dots = {(trace.y[0], trace.xaxis, trace.name): trace.x[0] for trace in figure.data if trace.mode == "markers"}
    assert dots == {
        ("mine", "x", "codes"): 0.8,
        ("mine", "x", "moved to their cells' means"): 0.9,
        ("grid", "x", "codes"): 0.3,
        ("grid", "x", "moved to their cells' means"): 0.5,
        ("mine", "x2", "codes"): 0.7,
        ("mine", "x2", "moved to their cells' means"): 0.75,
        ("grid", "x2", "codes"): 1.2,
        ("grid", "x2", "moved to their cells' means"): 1.3,
    }
    assert [shape.x0 for shape in figure.layout.shapes] == [1, 1]
    assert figure.layout.xaxis.range[1] > 1.3
    for fact in ("K = 1,000 and 1,024", "16,384 training tokens", "best of 20"):
        assert fact in figure.layout.title.text
    headings = [note.text for note in figure.layout.annotations]
    assert headings == ["in latents, N = 23,552 tokens", "in pixels, N = 8,192 tokens"]


def test_the_printed_figure_holds_the_same() -> None:
    figure = publish_efficiency(efficiency(), METHODS)
    latents, pixels = figure.axes
    drawn = [container.lines[0].get_xdata()[0] for axes in (latents, pixels) for container in axes.containers]
    assert drawn == [0.8, 0.3, 0.7, 1.2]
    assert [label.get_text() for label in latents.get_yticklabels()] == ["mine", "grid"]
    assert latents.get_title(loc="left") == "in latents, N = 23,552 tokens"


@pytest.mark.parametrize("draw", [draw_efficiency, publish_efficiency])
def test_another_frame_or_an_unknown_run_is_refused(draw: object) -> None:
    with pytest.raises(InputError, match="it lacks efficiency"):
        draw(efficiency().drop(columns="efficiency"), METHODS)
    with pytest.raises(InputError, match="'grid' is not said"):
        draw(efficiency(), {"mine": "lgq"})
