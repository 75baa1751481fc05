"""Is the start of the GAN a labelled line at its step, on every curve over training, once the curve has come to it?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from lgq_explore import plots
from lgq_explore.frames import health, temperature, usage
from lgq_explore.frames.health import GAN_IN_FULL, GAN_STARTS, STEP_MARKS
from tests.plots.filled_frames import filled

STEPS = np.arange(0, 101, 10)
MARKS = STEP_MARKS.frame({"step": [40, 60], "mark": [GAN_STARTS, GAN_IN_FULL]})
PANELS = (health.LOSSES, health.USAGE, health.LOGITS)
RULES = ("collapse coming", "discriminator has won")


def curves(last: int = 100) -> pd.DataFrame:
    steps = STEPS[last >= STEPS]
    rows = [{"panel": panel, "quantity": "a", "step": step, "value": 1.0} for panel in PANELS for step in steps]
    return filled(health.TRAINING_CURVES, rows)


def rule_curves(last: int = 100) -> pd.DataFrame:
    steps = STEPS[last >= STEPS]
    return filled(health.RULE_CURVES, [{"rule": rule, "step": step, "value": 1.0} for rule in RULES for step in steps])


def verdicts() -> pd.DataFrame:
    return filled(health.VERDICTS, {"rule": RULES, "state": "fine"})


def history(last: int = 100) -> pd.DataFrame:
    return filled(usage.CODE_HISTORY, {"step": STEPS[last >= STEPS]})


LIVE: dict[str, tuple[int, Callable[[int], Any]]] = {
    "training curves": (3, lambda last: plots.health.draw_training_curves(curves(last), MARKS)),
    "training curves in a column": (3, lambda last: plots.health.draw_training_curves(curves(last), MARKS, columns=1)),
    "verdicts": (2, lambda last: plots.health.draw_verdicts(rule_curves(last), verdicts(), marks=MARKS)),
    "code history": (1, lambda last: plots.usage.draw_code_history(history(last), MARKS)),
}
PRINTED: dict[str, tuple[int, Callable[[int], Figure]]] = {
    "training curves": (3, lambda last: plots.health.publish_training_curves(curves(last), MARKS)),
    "verdicts": (2, lambda last: plots.health.publish_verdicts(rule_curves(last), verdicts(), marks=MARKS)),
    "code history": (1, lambda last: plots.usage.publish_code_history(history(last), MARKS)),
}


def named(figure: Any) -> list[Any]:
    return [note for note in figure.layout.annotations if note.text in (GAN_STARTS, GAN_IN_FULL)]


@pytest.mark.parametrize("name", LIVE)
def test_every_live_curve_has_its_lines_and_their_names(name: str) -> None:
    number, draw = LIVE[name]
    figure = draw(100)
    lines = figure.layout.shapes
    assert [line.x0 for line in lines] == [40, 60] * number == [line.x1 for line in lines]
    assert len({(line.xref, line.yref) for line in lines}) == number
    once = 1 if "column" in name else number  # panels that share their steps share the names
    assert [(note.text, note.x) for note in named(figure)] == [(GAN_STARTS, 40), (GAN_IN_FULL, 60)] * once


@pytest.mark.parametrize("name", LIVE)
def test_a_live_curve_is_marked_once_it_has_come_to_the_step(name: str) -> None:
    _, draw = LIVE[name]
    assert len(draw(30).layout.shapes) == len(named(draw(30))) == 0
    assert {shape.x0 for shape in draw(50).layout.shapes} == {40}


@pytest.mark.parametrize("name", PRINTED)
def test_every_printed_curve_has_its_lines_and_their_names(name: str) -> None:
    number, publish = PRINTED[name]
    figure = publish(100)
    dotted = [
        line
        for axes in figure.axes
        for line in axes.get_lines()
        if line.get_linestyle() == ":" and len(set(line.get_xdata())) == 1
    ]
    assert sorted(line.get_xdata()[0] for line in dotted) == [40] * number + [60] * number
    names = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert names.count(GAN_STARTS) == names.count(GAN_IN_FULL) == number
    early = [text.get_text() for axes in publish(30).axes for text in axes.texts]
    assert GAN_STARTS not in early


def test_between_bars_of_snapshots_a_mark_has_its_place_in_proportion() -> None:
    bars = filled(temperature.BIFURCATIONS, {"step": [0, 50, 100], "temperature": 1.0, "critical_temperature": 2.0})
    above, below = plots.temperature.publish_bifurcations(bars, MARKS).axes
    for axes in (above, below):
        marked = [line.get_xdata()[0] for line in axes.get_lines() if line.get_linestyle() == ":"]
        assert marked == pytest.approx([0.8, 1.2])


def test_a_name_has_room_on_its_side_of_the_line() -> None:
    late = STEP_MARKS.frame({"step": [10, 90], "mark": [GAN_STARTS, GAN_STARTS]})
    names = named(plots.health.draw_training_curves(curves(), late, columns=1))
    assert [name.xanchor for name in names] == ["left", "right"]


def test_a_run_without_marks_has_no_lines() -> None:
    assert len(plots.health.draw_training_curves(curves()).layout.shapes) == 0
