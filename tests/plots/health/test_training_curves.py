"""Is each quantity one line in its panel, and the same line from the first row on?"""

from __future__ import annotations

from io import BytesIO
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from lgq_explore.errors import InputError
from lgq_explore.frames.health import TRAINING_CURVES
from lgq_explore.plots.health import draw_training_curves, publish_training_curves
from tests.plots.filled_frames import filled

LOSSES = ["weighted sum", "l1"]
USAGE = ["active codes, last 32 steps", "perplexity, last 32 steps", "tokens, last 32 steps", "codebook size"]
GRID_METHOD = {"losses": LOSSES, "active codes": USAGE}
SOFT_METHOD = {
    "losses": [*LOSSES, "quantization", "peakedness", "usage"],
    "active codes": USAGE,
    "effective codes and gain": ["effective codes", "encoder gain, mean", "encoder gain, median"],
    "temperature": ["temperature", "temperature, set by hand"],
}

ADVERSARIAL = {
    "losses": LOSSES,
    "logits": ["real crops", "reconstructed crops"],
    "adaptive weight": ["adaptive weight"],
    "penalties": ["LeCam", "R1"],
    "shares of the gradient": ["l1", "gan"],
}


def curves_of(panels: dict[str, list[str]], steps: int = 5) -> pd.DataFrame:
    rows = [
        (step, panel, quantity, 100.0 * index + step)
        for panel, quantities in panels.items()
        for index, quantity in enumerate(quantities)
        for step in range(1, steps + 1)
    ]
    return filled(TRAINING_CURVES, pd.DataFrame(rows, columns=list(TRAINING_CURVES.needed)))


@pytest.mark.parametrize(("panels", "axes"), [(GRID_METHOD, 2), (SOFT_METHOD, 4), (ADVERSARIAL, 5)])
def test_a_panel_a_group_and_a_line_a_quantity_but_for_the_tokens_counted(panels: dict, axes: int) -> None:
    figure = draw_training_curves(curves_of(panels))
    assert len(list(figure.select_xaxes())) == axes
    counted = "active codes" in panels
    assert len(figure.data) == sum(map(len, panels.values())) - counted
    assert not any("tokens" in trace.name for trace in figure.data)


def test_lines_hold_the_values_of_their_quantity() -> None:
    figure = draw_training_curves(curves_of(SOFT_METHOD))
    (perplexity,) = figure.select_traces({"name": "perplexity"})
    assert perplexity.x.tolist() == [1, 2, 3, 4, 5]
    assert perplexity.y.tolist() == [101, 102, 103, 104, 105]


def test_gain_has_an_axis_of_its_own_beside_effective_codes() -> None:
    figure = draw_training_curves(curves_of(SOFT_METHOD))
    (effective,) = figure.select_traces({"name": "effective codes"})
    (gain,) = figure.select_traces({"name": "gain, mean"})
    assert effective.xaxis == gain.xaxis
    assert figure.layout["yaxis" + effective.yaxis[1:]].title.text == "codes per token"
    assert figure.layout["yaxis" + gain.yaxis[1:]].title.text == "encoder gain"


def test_the_title_says_steps_window_and_tokens() -> None:
    title = draw_training_curves(curves_of(GRID_METHOD, steps=1200)).layout.title.text
    assert "1,200 steps; usage over the last 32 steps, N = 1,400 tokens" in title
    short = draw_training_curves(curves_of(GRID_METHOD, steps=1200), columns=1).layout.title.text
    assert "usage: 1,400 tokens, 32 steps" in short, "a line beside the toolbar has no room for more"


def test_every_line_is_named_above_its_panel_in_its_colour() -> None:
    figure = draw_training_curves(curves_of(SOFT_METHOD))
    headings = " ".join(annotation.text for annotation in figure.layout.annotations)
    for trace in figure.data:
        assert f'color:{trace.line.color}; font-size:11px">{trace.name}<' in headings


def test_lines_of_one_panel_differ_in_look() -> None:
    figure = draw_training_curves(curves_of(SOFT_METHOD))
    looks = [(trace.xaxis, trace.line.color, trace.line.dash) for trace in figure.data]
    assert len(set(looks)) == len(looks)


def test_the_first_row_alone_is_seen() -> None:
    figure = draw_training_curves(curves_of(GRID_METHOD, steps=1))
    assert all("markers" in trace.mode for trace in figure.data if trace.name != "codebook size K")


def test_updates_keep_number_order_and_axes_of_the_lines() -> None:
    early, late = (draw_training_curves(curves_of(SOFT_METHOD, steps)) for steps in (1, 500))
    assert [(trace.name, trace.yaxis) for trace in early.data] == [(trace.name, trace.yaxis) for trace in late.data]
    assert len(early.layout.annotations) == len(late.layout.annotations)


def test_an_empty_frame_says_so_in_both_forms() -> None:
    empty = curves_of({})
    assert "No step has been logged yet." in [note.text for note in draw_training_curves(empty).layout.annotations]
    figure = publish_training_curves(empty)
    assert [text.get_text() for text in figure.texts] == ["No step has been logged yet."]


@pytest.mark.parametrize("panels", [GRID_METHOD, SOFT_METHOD, {"losses": LOSSES}])
def test_the_printed_lines_are_those_of_the_interactive_ones(panels: dict) -> None:
    curves = curves_of(panels)
    figure = publish_training_curves(curves)
    printed = {line.get_label(): line for axes in figure.axes for line in axes.get_lines()}
    drawn = draw_training_curves(curves).data
    assert printed.keys() == {trace.name for trace in drawn}
    for trace in drawn:
        np.testing.assert_allclose(printed[trace.name].get_ydata(), trace.y, rtol=1e-6)
        assert printed[trace.name].get_color() == trace.line.color


def test_a_curve_without_any_value_is_printed_too() -> None:
    curves = curves_of(SOFT_METHOD)
    curves.loc[curves["quantity"] == "temperature, set by hand", "value"] = np.nan
    publish_training_curves(curves).savefig(BytesIO())
    assert np.isnan(draw_training_curves(curves).data[-1].y).all()


def test_logits_are_two_lines_in_one_chart_on_both_sides_of_zero() -> None:
    curves = curves_of(ADVERSARIAL)
    curves.loc[curves["quantity"] == "reconstructed crops", "value"] *= -1
    figure = draw_training_curves(curves)
    real, made = (next(figure.select_traces({"name": name})) for name in ("real", "reconstructed"))
    assert real.yaxis == made.yaxis
    assert real.line.color != made.line.color
    scale = figure.layout["yaxis" + real.yaxis[1:]]
    assert (scale.type, scale.zeroline) == (None, True)
    (axes,) = [each for each in publish_training_curves(curves).axes if each.get_ylabel() == "mean logit"]
    low, high = axes.get_ylim()
    assert low < made.y.min() < 0 < real.y.max() < high


def test_a_loss_below_zero_is_a_gap_and_no_fall_to_the_bottom() -> None:
    curves = curves_of({"losses": ["weighted sum", "gan"]})
    curves.loc[(curves["quantity"] == "gan") & (curves["step"] == 3), "value"] = -0.5
    (gan,) = draw_training_curves(curves).select_traces({"name": "gan"})
    assert np.isnan(gan.y).tolist() == [False, False, True, False, False]
    (axes,) = publish_training_curves(curves).axes
    assert np.isnan(axes.get_lines()[1].get_ydata()).tolist() == np.isnan(gan.y).tolist()


def test_an_unknown_panel_is_refused() -> None:
    with pytest.raises(InputError, match="unknown panel 'weather'"):
        draw_training_curves(curves_of({"weather": ["rain"]}))


def test_in_one_column_panels_share_their_steps_and_say_them_once() -> None:
    figure = draw_training_curves(curves_of(SOFT_METHOD), columns=1)
    steps = list(figure.select_xaxes())
    assert {tuple(axes.domain) for axes in steps} == {(0.0, 1.0)}
    assert [axes.matches for axes in steps] == [None, "x", "x", "x"]
    assert [axes.title.text for axes in steps] == ["", "", "", "optimiser steps"]
    spans = [figure.layout["yaxis" + axes.anchor[1:]].domain for axes in steps]
    assert all(upper[0] > lower[1] for upper, lower in pairwise(spans))
    assert figure.layout.height == draw_training_curves(curves_of(GRID_METHOD), columns=1).layout.height


def test_the_names_of_many_losses_have_room_above_a_column() -> None:
    many = {"losses": [f"a term of the loss {number}" for number in range(6)]}
    crowded, plain = (draw_training_curves(curves_of(panels), columns=1) for panels in (many, GRID_METHOD))
    assert "<br>" in crowded.layout.annotations[0].text
    assert "<br>" not in plain.layout.annotations[0].text
    assert crowded.layout.margin.t > plain.layout.margin.t
