"""Does the figure of health show every curve with its limits, and tell states without their colours?"""

from __future__ import annotations

import pandas as pd
import pytest

from lgq_explore.errors import InputError
from lgq_explore.frames import health
from lgq_explore.plots.health import STATE_LOOKS, draw_verdicts, publish_verdicts
from lgq_explore.plots.health.verdicts import NO_CURVES
from tests.plots.filled_frames import filled

NAN = float("nan")
RULES = ("collapse coming", "encoder no longer hears the decoder", "too few tokens for K")
VERDICTS = filled(
    health.VERDICTS,
    {
        "rule": RULES,
        "state": ["trouble", "fine", "warning"],
        "finding": ["Collapsed: perplexity 3.", "No: 0 of 3 steps.", "N = 10 tokens."],
        "advice": ["Lower the learning rate.", "", "Take fewer codes."],
        "settings": ["--set learning_rate=0.002", "", ""],
    },
)
CURVES = pd.DataFrame(
    {
        "rule": [RULES[0]] * 3 + [RULES[1]] * 3,
        "quantity": ["perplexity, codes"] * 3 + ["gain under 1 %, share of tokens"] * 3,
        "step": [10, 20, 30] * 2,
        "value": [900.0, 40.0, 3.0, 0.1, 0.2, 0.1],
        "lower": [51.2] * 3 + [NAN] * 3,
        "upper": [NAN] * 3 + [0.5] * 3,
    }
)


def test_each_curve_has_its_values_its_limit_and_what_lies_beyond() -> None:
    figure = draw_verdicts(CURVES, VERDICTS, "lgq, step 30")
    beyond, limit, curve = (trace for trace in figure.data if trace.yaxis == "y")
    assert list(curve.x) == [10, 20, 30]
    assert list(curve.y) == [900, 40, 3]
    assert set(limit.y) == {51.2}
    assert min(beyond.y) == 10 ** figure.layout.yaxis.range[0]  # over two decades: a logarithmic axis
    assert figure.layout.yaxis.type == "log"
    assert figure.layout.yaxis2.type is None
    above = next(trace for trace in figure.data if trace.yaxis == "y2" and trace.fill)
    assert (min(above.y), max(above.y)) == (0.5, figure.layout.yaxis2.range[1])
    assert "lgq, step 30" in figure.layout.title.text


def test_states_are_told_by_symbol_and_word() -> None:
    assert len({look.symbol for look in STATE_LOOKS.values()}) == len(STATE_LOOKS) == 4
    headings = [note.text for note in draw_verdicts(CURVES, VERDICTS).layout.annotations if note.visible is None]
    assert len(headings) == 2
    for heading, state in zip(headings, ("trouble", "fine"), strict=True):
        assert state in heading
        assert STATE_LOOKS[state].symbol in heading


def test_the_printed_figure_says_everything_in_words() -> None:
    figure = publish_verdicts(CURVES, VERDICTS, "lgq, step 30")
    said = "\n".join(text.get_text() for axes in figure.axes for text in axes.texts)
    for verdict in VERDICTS.itertuples():
        assert f"{STATE_LOOKS[verdict.state].symbol}  {verdict.state}: {verdict.rule}?" in said
        assert verdict.finding in said
    assert "→ Lower the learning rate" in said
    assert "--set learning_rate=0.002" in said.splitlines()
    assert len(figure.axes) == 3


def test_nothing_logged_is_said_and_the_verdicts_stay() -> None:
    empty = draw_verdicts(CURVES.iloc[:0], VERDICTS)
    assert [note.text for note in empty.layout.annotations if note.visible] == [NO_CURVES]
    assert len(publish_verdicts(CURVES.iloc[:0], VERDICTS).axes) == 1


def test_a_single_logged_step_is_drawn() -> None:
    figure = draw_verdicts(CURVES.iloc[[0]], VERDICTS)
    assert figure.layout.yaxis.range[0] < 900 < figure.layout.yaxis.range[1]
    publish_verdicts(CURVES.iloc[[0]], VERDICTS)


def test_a_curve_without_a_verdict_is_refused() -> None:
    with pytest.raises(InputError, match="no verdict"):
        publish_verdicts(CURVES, VERDICTS.iloc[1:])
