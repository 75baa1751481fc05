"""Is each run's efficiency where it belongs, in every measure?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lgq_explore.errors import InputError
from lgq_explore.frames.geometry import EFFICIENCY
from lgq_explore.plots.geometry import publish_efficiency
from tests.plots.filled_frames import filled

METHODS = {"mine": "lgq", "grid": "fsq"}


def efficiency() -> pd.DataFrame:
    return filled(
        EFFICIENCY.of_several_runs,
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
        },
    )


def test_each_run_has_a_dot_and_a_ring_in_each_measure() -> None:
    figure = publish_efficiency(efficiency(), METHODS)
    latents, pixels = figure.axes
    drawn = [container.lines[0].get_xdata()[0] for axes in (latents, pixels) for container in axes.containers]
    assert drawn == [0.8, 0.3, 0.7, 1.2]
    rings = [dots.get_offsets().tolist() for axes in (latents, pixels) for dots in axes.collections]
    assert [place for (place,) in filter(None, rings) if place[0] in (0.9, 0.5, 0.75, 1.3)] == [
        [0.9, 0], [0.5, 1], [0.75, 0], [1.3, 1]
    ]  # fmt: skip
    assert [label.get_text() for label in latents.get_yticklabels()] == ["mine", "grid"]
    assert latents.get_title(loc="left") == "in latents, N = 23,552 tokens"
    assert pixels.get_title(loc="left") == "in pixels, N = 8,192 tokens"
    assert latents.get_xlim()[1] > 1.3
    said = " ".join(text.get_text() for text in figure.texts)
    for fact in ("K = 1,000 and 1,024", "16,384 training tokens", "best of 20"):
        assert fact in said


def test_an_unknown_run_is_refused() -> None:
    with pytest.raises(InputError, match="'grid' is not said"):
        publish_efficiency(efficiency(), {"mine": "lgq"})
