"""Do the figures of several runs show the numbers of their frames, in the colours of their methods?"""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest

from lgq_explore.frames import usage
from lgq_explore.plots import METHOD_COLOURS
from lgq_explore.plots.usage import (
    UsageFrames,
    draw_accumulation,
    draw_by_rank,
    draw_definitions,
    draw_lorenz,
    publish_comparison,
)
from lgq_explore.plots.usage.inequality import ALL_ALIKE
from tests.plots.filled_frames import filled

METHODS = {"even": "vq", "uneven": "lgq"}
RANKS = filled(
    usage.BY_RANK.of_several_runs,
    {
        "run": ["even", "even", "uneven"],
        "rank": [1, 2, 1],
        "code": [7, 3, 0],
        "count": [6, 4, 10],
        "share": [0.6, 0.4, 1.0],
    },
)
LORENZ = filled(
    usage.LORENZ.of_several_runs,
    {
        "run": ["even"] * 4 + ["uneven"] * 4,
        "curve": ["counted", "counted", "uniform sampling", "uniform sampling"] * 2,
        "code_share": [0.0, 1.0] * 4,
        "token_share": [0.0, 1.0] * 4,
    },
)
SUMMARY = filled(
    usage.SUMMARY.of_several_runs, {"run": ["even", "uneven"], "gini": [0.25, 0.75], "gini_uniform": [0.12, 0.13]}
)
ACCUMULATION = filled(
    usage.ACCUMULATION.of_several_runs,
    {
        "run": ["even", "even", "uneven", "uneven"],
        "images": [1, 2, 1, 2],
        "tokens": [4, 8, 4, 8],
        "active_codes": [3.0, 5.0, 1.0, 1.5],
        "low": [2.5, 4.5, 0.9, 1.4],
        "high": [3.5, 5.5, 1.1, 1.6],
        "codebook_size": [8, 8, 10, 10],
        "chao2": [9.0, 9.0, 2.0, 2.0],
        "unit": ["image"] * 4,
    },
)
DEFINITIONS = filled(
    usage.DEFINITIONS,
    {
        "run": ["even"] * 3 + ["uneven"] * 3,
        "definition": ["whole set", "window of 99 tokens", "at least 3 hits"] * 2,
        "tokens": [8, 100, 8] * 2,
        "codes": [5.0, np.nan, 0.0, 2.0, np.nan, 1.0],
        "utilization": [0.5, np.nan, 0.0, 0.2, np.nan, 0.1],
        "rank": [1.0, np.nan, 2.0, 2.0, np.nan, 1.0],
        "why": ["", "8 tokens were encoded: encode more crops", ""] * 2,
    },
)


def test_by_rank_a_line_a_run_in_per_cent_of_its_tokens() -> None:
    even, uneven = draw_by_rank(RANKS, METHODS).data
    assert (even.name, uneven.name) == ("even", "uneven")
    assert even.line.color == METHOD_COLOURS["vq"]
    assert list(even.x) == [1, 2]
    assert list(even.y) == [60, 40]
    assert even.customdata.tolist() == [7, 3]
    assert even.text.tolist() == [6, 4]


def test_the_lorenz_curve_says_gini_beside_that_of_chance() -> None:
    traces = draw_lorenz(LORENZ, SUMMARY, METHODS).data
    assert [trace.name for trace in traces][::2] == ["even: Gini 0.25 (0.12)", "uneven: Gini 0.75 (0.13)", ALL_ALIKE]
    labels = [note.text for note in draw_lorenz(LORENZ, SUMMARY, METHODS).layout.annotations]
    assert labels == ["even 0.25 (0.12)", "uneven 0.75 (0.13)", f"dashed: {ALL_ALIKE}<br>thin: uniform sampling"]
    assert list(traces[0].y) == [0, 100]


def test_the_accumulation_has_a_band_a_curve_and_a_bound_that_no_codebook_exceeds() -> None:
    figure = draw_accumulation(ACCUMULATION, METHODS)
    low, high, curve, bound = figure.data[:4]
    assert list(low.y) == [2.5, 4.5]
    assert list(high.y) == [3.5, 5.5]
    assert high.fill == "tonexty"
    assert list(curve.y) == [3, 5]
    assert curve.name == "even (≥ 8)"
    assert list(bound.y) == [8, 8]
    assert figure.data[6].name == "uneven (≥ 2)"
    assert [list(trace.y) for trace in figure.data[8:]] == [[8, 8], [10, 10]]
    assert "images resampled" in figure.layout.title.text


def test_definitions_show_shares_ranks_and_what_could_not_be_counted() -> None:
    figure = draw_definitions(DEFINITIONS, METHODS)
    even, uneven = figure.data
    assert list(even.x) == ["whole<br>set", "window of<br>99 tokens", "at least<br>3 hits"]
    assert list(uneven.y)[::2] == [20, 10]
    assert np.isnan(uneven.y[1])
    assert list(even.text) == ["1", "", "2"]
    even, uneven, note = figure.layout.annotations
    assert note.x == "window of<br>99 tokens"
    assert (even.text, uneven.text) == ("uneven", "even")
    assert even.y < uneven.y


def test_the_axis_of_definitions_reaches_from_a_labelled_tick_to_above_the_highest() -> None:
    low, high = 10 ** np.array(draw_definitions(DEFINITIONS, METHODS).layout.yaxis.range)
    assert (low, high) == pytest.approx((5, 70))
    nothing = DEFINITIONS.assign(utilization=np.nan, codes=np.nan)
    assert draw_definitions(nothing, METHODS).layout.yaxis.range == (0, 2)


def test_the_comparison_prints_all_four_with_their_n() -> None:
    frames = UsageFrames(SUMMARY, RANKS, LORENZ, ACCUMULATION, DEFINITIONS)
    figure = publish_comparison(frames, METHODS, "N = 8 tokens")
    figure.savefig(BytesIO())
    assert len(figure.axes) == 4
    for axes in figure.axes:
        assert {METHOD_COLOURS["vq"], METHOD_COLOURS["lgq"]} <= {line.get_color() for line in axes.lines}
    assert "N = 8 tokens" in figure.get_suptitle()
