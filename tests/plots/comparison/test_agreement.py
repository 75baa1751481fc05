"""Does the figure show each pair's agreement beside what chance gives?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lgq_explore.frames.comparison import AGREEMENT
from lgq_explore.plots.comparison import publish_agreement
from tests.plots.filled_frames import filled


def agreement() -> pd.DataFrame:
    return filled(
        AGREEMENT,
        {
            "first": ["one", "one"],
            "second": ["two", "three"],
            "agreement": [0.4, -0.1],
            "null": [0.05, 0.0],
            "null_spread": [0.01, 0.02],
            "tokens": 23552,
            "images": 368,
            "photographs": 4,
            "draws": 20,
        },
    )


def test_each_pair_has_its_agreement_and_its_null() -> None:
    (axes,) = publish_agreement(agreement()).axes
    (same,) = [each for each in axes.collections if each.get_label() == "the same images"]
    assert same.get_offsets()[:, 0].tolist() == [0.4, -0.1]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["one – two", "one – three"]
    ((null, _, (bars,)),) = axes.containers
    assert null.get_xdata().tolist() == [0.05, 0.0]
    assert np.diff(bars.get_segments(), axis=1)[:, 0, 0].tolist() == pytest.approx([0.04, 0.08])


def test_the_title_has_n_and_the_axis_room() -> None:
    figure = publish_agreement(agreement())
    assert "N = 23,552 tokens of 368 crops, 4 photographs" in figure.get_suptitle()
    low, high = figure.axes[0].get_xlim()
    assert low < -0.1
    assert high == 1
    assert publish_agreement(agreement().iloc[:1]).axes[0].get_xlim()[0] == 0
