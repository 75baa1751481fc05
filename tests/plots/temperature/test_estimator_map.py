"""Does the map show both estimators, where LGQ leads and is best, and the matched temperature?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lgq_explore.frames.temperature import ESTIMATOR_MAP
from lgq_explore.plots.temperature import publish_estimator_map
from tests.plots.filled_frames import filled

TEMPERATURES, SIGMAS = (0.1, 1.0, 10.0), (0.05, 0.5)
LGQ_COSINES = {0.05: (0.9, 0.4, 0.3), 0.5: (0.2, 0.95, 0.8)}
COPIED = {0.05: 0.35, 0.5: 0.85}


def estimators() -> pd.DataFrame:
    rows = [
        {
            "temperature": temperature,
            "sigma": sigma,
            "estimator": name,
            "cosine": cosine,
            "matched_temperature": 2 * sigma,
        }
        for sigma in SIGMAS
        for temperature, cosine_of_lgq in zip(TEMPERATURES, LGQ_COSINES[sigma], strict=True)
        for name, cosine in (("straight-through", COPIED[sigma]), ("lgq", cosine_of_lgq), ("rotation", 0.5))
    ]
    facts = {"spacing": 1.6, "rounding_error": 0.21, "tokens": 384, "pairs": 64}
    return filled(ESTIMATOR_MAP, pd.DataFrame(rows).assign(**facts).to_dict("list"))


def test_both_estimators_have_their_cosines() -> None:
    copied, lgq = publish_estimator_map(estimators()).axes
    assert [axes.get_title(loc="left") for axes in (copied, lgq)] == ["straight-through", "lgq"]
    assert [text.get_text() for text in copied.texts] == ["0.35", "0.85"] * 3
    # The hottest is on top.
    assert [text.get_text() for text in lgq.texts] == ["0.30", "0.80", "0.40", "0.95", "0.90", "0.20"]


def test_it_says_where_lgq_leads_and_is_best() -> None:
    _, lgq = publish_estimator_map(estimators()).axes
    leads = [text.get_text() for text in lgq.texts if text.get_fontweight() == "bold"]
    assert leads == ["0.40", "0.95", "0.90"]
    rings, matched = lgq.get_lines()
    # At σ = 0.05 the coldest of all is best: it may lie below, and has no ring.
    assert rings.get_xydata().tolist() == [[1.5, 1.5]]
    # Temperatures 0.1 and 1: the middle of the lowest row, and of the one above it.
    assert matched.get_xydata() == pytest.approx(np.array([[0.5, 2.5], [1.5, 1.5]]))


def test_a_temperature_is_a_line_and_the_facts_are_told() -> None:
    figure = publish_estimator_map(estimators(), temperature=10**-0.5)
    for axes in figure.axes:
        assert axes.get_lines()[0].get_ydata() == pytest.approx([2, 2])
        assert "of rounding itself: 0.21" in axes.get_xlabel()
    told = " ".join(text.get_text() for text in [*figure.texts, *figure.legends[0].get_texts()])
    for fact in ("N = 384 tokens", "64 antithetic pairs", "Δ = 1.60", "τ = 0.32"):
        assert fact in told
