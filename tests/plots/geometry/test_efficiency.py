"""Are each run's codes and k-means where they belong, on axes that only pixels have in common?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

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
            "codes": [2.0, 0.5, 40.0, 0.25],
            "cell_means": [1.5, 0.4, 30.0, 0.2],
            "kmeans": [1.0, 0.3, 10.0, 0.3],
            "kmeans_in_hindsight": [0.5, 0.1, np.nan, np.nan],
            "efficiency": [0.5, 0.6, 0.25, 1.2],
            "spread": [0.01, 0.02, 0.01, np.nan],
            "restarts": [20, 3] * 2,
            "images": [368, 128] * 2,
            "tokens": [23552, 8192] * 2,
            "fit_tokens": 16384,
            "codebook_size": [1024, 1024, 1000, 1000],
        },
    )


def strip(axes: Axes) -> list[float]:
    """k-means, k-means in hindsight, the cells' means, the codes."""
    return [float(line.get_xdata()[0]) for line in axes.get_lines()]


def test_each_run_has_its_distortions_in_each_measure() -> None:
    figure = publish_efficiency(efficiency(), METHODS)
    strips = [strip(axes) for axes in figure.axes]
    assert strips[0] == [1.0, 0.5, 1.5, 2.0]
    assert strips[1] == [0.3, 0.1, 0.4, 0.5]
    assert strips[2] == pytest.approx([10.0, np.nan, 30.0, 40.0], nan_ok=True)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[0] == "in latents, N = 23,552 tokens\nefficiency 0.50"
    assert titles[1] == "in pixels, N = 8,192 tokens\nefficiency 0.60"
    assert titles[2:] == ["efficiency 0.25", "efficiency 1.20"]
    names = [[label.get_text() for label in axes.get_yticklabels()] for axes in figure.axes]
    assert names == [["mine"], [], ["grid"], []]
    said = " ".join(text.get_text() for text in figure.texts)
    for fact in ("K = 1,000 and 1,024", "16,384 training tokens", "best of 20"):
        assert fact in said


def test_latents_of_two_methods_have_axes_of_their_own_and_pixels_share_one() -> None:
    mine, mine_in_pixels, grid, grid_in_pixels = publish_efficiency(efficiency(), METHODS).axes
    assert mine.get_xlim() == pytest.approx((0, 2.2))
    assert grid.get_xlim() == pytest.approx((0, 44))
    assert mine_in_pixels.get_xlim() == grid_in_pixels.get_xlim() == pytest.approx((0, 0.55))


def test_an_unknown_run_is_refused() -> None:
    with pytest.raises(InputError, match="'grid' is not said"):
        publish_efficiency(efficiency(), {"mine": "lgq"})
