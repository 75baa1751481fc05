"""Do both figures show the codes, their colours and the grid's lines where the frames say, and refuse what misleads?"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from lgq_explore.errors import InputError
from lgq_explore.plots.geometry import CODE_COLOURS, MapPane, draw_latent_maps, publish_latent_map
from lgq_explore.plots.style import ON_CANVAS, ON_GROUND, ON_TOP, PAPER, VERMILION

TOKENS, LINES, HOLLOW, COLOURED, SELECTED = range(5)
"""The traces of a pane."""


def pane(**changes: Any) -> MapPane:
    codes = pd.DataFrame(
        {
            "code": [0, 1, 2, 3],
            "x": [0.0, 1.0, 0.0, 1.0],
            "y": [0.0, 0.0, 1.0, 1.0],
            "count": [100, 0, 1, 10],
            "drift": [0.5, 0.0, math.nan, 2.0],
        }
    )
    shown = MapPane(
        heading="lgq: 4 codes",
        codes=codes,
        tokens=pd.DataFrame({"x": [0.2, 0.3, 0.9], "y": [0.1, 0.8, 0.4]}),
        edges=pd.DataFrame({"code": [0, 0], "neighbour": [1, 2]}),
        axes=("first", "second"),
        span=(0.0, 1.0, 0.0, 1.0),
        under=("1 of 4 codes unused.", "Trustworthiness 0.93."),
        warning="Read regions.",
    )
    return replace(shown, **changes)


def values(trace: go.Scattergl, name: str) -> list[float]:
    return np.asarray(trace[name]).tolist()


def test_codes_are_coloured_by_the_logarithm_of_their_usage_and_unused_ones_are_hollow() -> None:
    (figure,) = draw_latent_maps([pane()])
    hollow, coloured = figure.data[HOLLOW], figure.data[COLOURED]
    assert values(hollow, "customdata") == [1]
    assert hollow.marker.color == PAPER
    assert values(coloured, "customdata") == [0, 2, 3]
    assert np.asarray(coloured.marker.color).tolist() == [2, 0, 1]
    assert list(zip(values(coloured, "x"), values(coloured, "y"), strict=True)) == [(0, 0), (0, 1), (1, 1)]
    axis = figure.layout.coloraxis
    assert (axis.cmin, axis.cmax) == (0, 2)
    assert dict(zip(axis.colorbar.ticktext, axis.colorbar.tickvals, strict=True))["10"] == 1
    assert axis.colorbar.title.text == "tokens per code"
    assert "0<br>tokens per code: 100" in coloured.text


def test_a_page_draws_every_trace_itself() -> None:
    (figure,) = draw_latent_maps([pane()], selected=[2])
    assert [trace.meta for trace in figure.data] == [ON_GROUND, ON_CANVAS, ON_CANVAS, ON_CANVAS, ON_TOP]
    assert {trace.type for trace in figure.data} == {"scattergl"}  # and plotly does elsewhere


def test_another_colour_has_its_own_scale_and_names_what_is_missing() -> None:
    (figure,) = draw_latent_maps([pane()], "drift")
    assert values(figure.data[HOLLOW], "customdata") == [2]
    assert np.asarray(figure.data[COLOURED].marker.color).tolist() == [0.5, 0, 2]
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (0, 2)
    (missing,) = draw_latent_maps([pane()], "anisotropy")
    assert values(missing.data[HOLLOW], "customdata") == [0, 1, 2, 3]
    assert missing.data[HOLLOW].name == "with too few tokens to tell"


def test_lines_go_from_code_to_neighbour() -> None:
    lines = draw_latent_maps([pane()])[0].data[LINES]
    assert values(lines, "x")[:2] + values(lines, "x")[3:5] == [0, 1, 0, 0]
    assert values(lines, "y")[:2] + values(lines, "y")[3:5] == [0, 0, 0, 1]
    assert np.isnan(np.asarray(lines.x)[[2, 5]]).all()


def test_selected_codes_are_marked_in_the_pane_that_can_be_picked() -> None:
    first, second = draw_latent_maps([pane(), pane(selectable=False)], selected=[3, 0])
    assert values(first.data[SELECTED], "x") == [0, 1]
    assert values(second.data[SELECTED], "x") == []
    assert second.data[COLOURED].customdata is None
    assert first.layout.dragmode == "lasso"


def test_both_panes_share_one_colour_scale() -> None:
    busy = pane(codes=pane().codes.assign(count=[1000, 1, 1, 1]))
    drawn = draw_latent_maps([pane(), busy])
    assert [figure.layout.coloraxis.cmax for figure in drawn] == [3, 3]
    assert {figure.data[COLOURED].marker.coloraxis for figure in drawn} == {"coloraxis"}


def test_distances_mean_the_same_along_both_axes_and_in_both_panes_of_one_map() -> None:
    first, second = (figure.layout for figure in draw_latent_maps([pane(), pane(span=(-5.0, 5.0, 0.0, 1.0))]))
    assert first.yaxis.scaleanchor == second.yaxis.scaleanchor == "x"
    assert second.xaxis.range[0] < -5 < first.xaxis.range[0]
    assert not first.meta["linked"]
    shared = draw_latent_maps([pane(), pane()], shared_axes=True)
    assert {figure.layout.meta["linked"] for figure in shared} == {"map"}
    assert shared[0].layout.xaxis.range == shared[1].layout.xaxis.range


def test_two_runs_are_never_given_the_same_axes() -> None:
    other = pane(tokens=pane().tokens + 0.1)
    for make in (draw_latent_maps, publish_latent_map):
        with pytest.raises(InputError, match="two runs have axes of their own"):
            make([pane(), other], shared_axes=True)


def test_a_warning_stands_below_the_map_and_in_print_all_that_is_said() -> None:
    (figure,) = draw_latent_maps([pane()])
    assert figure.layout.title.text.startswith("<b>lgq: 4 codes</b>")
    assert [(note.text, note.font.color) for note in figure.layout.annotations] == [("Read regions.", VERMILION)]
    printed = publish_latent_map([pane()])
    texts = [text.get_text() for axes in printed.axes for text in axes.texts]
    assert "1 of 4 codes unused.\nTrustworthiness 0.93." in texts
    assert "Read regions." in "".join(texts)


def test_sixteen_thousand_codes_and_twenty_thousand_tokens_travel_as_bytes() -> None:
    rng = np.random.default_rng(0)
    codes = pd.DataFrame(rng.standard_normal((16_384, 2)), columns=["x", "y"])
    codes = codes.assign(code=np.arange(16_384), count=rng.integers(0, 50, 16_384))
    large = pane(codes=codes, tokens=pd.DataFrame(rng.standard_normal((20_000, 2)), columns=["x", "y"]))
    text = draw_latent_maps([large])[0].to_json()
    # Eight bytes a token and sixteen a code, of which base64 makes four thirds; slashes are escaped.
    assert len(text) < 1.4 * 4 / 3 * (8 * 20_000 + 16 * 16_384)
    drawn = json.loads(text)["data"]
    assert drawn[TOKENS]["x"]["dtype"] == drawn[COLOURED]["marker"]["color"]["dtype"] == "f4"
    assert drawn[COLOURED]["customdata"]["dtype"] in ("i2", "i4")


def test_the_code_under_the_pointer_is_named_however_many_there_are() -> None:
    few, many = (
        draw_latent_maps([pane(codes=pd.DataFrame({"code": range(codes), "x": 0.0, "y": 0.0, "count": 3}))], "usage")[0]
        for codes in (10, 5000)
    )
    assert few.data[3].text[7].startswith("7<br>")
    assert "%{text}" in few.data[3].hovertemplate
    assert many.data[3].text is None
    assert "code %{customdata}" in many.data[3].hovertemplate


def test_the_printed_twin_shows_the_same_places_and_colours() -> None:
    figure = publish_latent_map([pane(), pane()], selected=[2])
    left, *_ = figure.axes
    tokens, lines, hollow, coloured, marked = left.collections
    assert tokens.get_offsets().tolist() == pane().tokens.to_numpy().tolist()
    assert [segment.tolist() for segment in lines.get_segments()] == [[[0, 0], [1, 0]], [[0, 0], [0, 1]]]
    assert hollow.get_offsets().tolist() == [[1, 0]]
    assert coloured.get_array().tolist() == [2, 0, 1]
    assert marked.get_offsets().tolist() == [[0, 1]]
    assert left.get_title(loc="left") == "lgq: 4 codes"


def test_a_printed_map_holds_fewer_tokens_and_says_how_many() -> None:
    rng = np.random.default_rng(0)
    many = pane(tokens=pd.DataFrame(rng.random((20_000, 2)), columns=["x", "y"]), tokens_in_all=23_552)
    assert "20,000 of 23,552 tokens" in draw_latent_maps([many])[0].layout.title.text
    figure = publish_latent_map([many])
    assert len(figure.axes[0].collections[TOKENS].get_offsets()) == 5000
    assert "5,000 of 23,552 tokens" in figure.get_suptitle()
    assert len(figure._repr_png_()) < 150_000


@pytest.mark.parametrize("colour", CODE_COLOURS)
def test_every_colour_is_drawn_where_no_code_has_a_value(colour: str) -> None:
    empty = pane(codes=pane().codes[["code", "x", "y"]])
    assert len(draw_latent_maps([empty], colour)[0].data[HOLLOW].x) == 4
    publish_latent_map([empty], colour)


def test_nonsense_is_refused() -> None:
    with pytest.raises(InputError, match="0 maps to draw"):
        draw_latent_maps([])
    with pytest.raises(InputError, match="colour is 'red': choose one of usage, drift"):
        draw_latent_maps([pane()], "red")
