"""Do the shares, neighbours, histories and posteriors that are drawn keep every number of their frames?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lgq_explore import plots
from lgq_explore.errors import InputError
from lgq_explore.frames.usage import CODE_HISTORY
from lgq_explore.plots.pictures.patches import NO_CODES
from lgq_explore.plots.style import METHOD_COLOURS
from tests.plots.filled_frames import filled

DISTORTION = pd.DataFrame(
    {
        "code": [3, 17],
        "count": [6, 2],
        "token_share": [0.3, 0.1],
        "quantization_error_share": [0.2, 0.15],
        "pixel_error_share": [0.4, 0.05],
    }
)
NEIGHBOURS = pd.DataFrame(
    {"code": [3, 3, 17, 17], "rank": [1, 2, 1, 2], "neighbour": [5, 17, 3, 9], "distance": [0.5, 0.75, 0.75, 1.0]}
)
HISTORY = filled(CODE_HISTORY, {"step": [0, 0, 50, 50], "code": [3, 17, 3, 17], "count": [4, 0, 6, 2]})
CANDIDATES = pd.DataFrame({"rank": [1, 2], "code": [3, 9], "distance": [0.25, 0.5], "responsibility": [0.75, 0.25]})
FRAMES = {
    "pictures.distortion": DISTORTION,
    "geometry.code_neighbours": NEIGHBOURS,
    "usage.code_history": HISTORY,
    "pictures.posterior": CANDIDATES,
}


def drawing(name: str, form: str) -> Callable[[pd.DataFrame], Any]:
    """`draw_` or `publish_` of a topic's name."""
    topic, of = name.split(".")
    return getattr(getattr(plots, topic), f"{form}_{of}")


def test_shares_are_drawn_in_percent_a_bar_a_code() -> None:
    tokens, quantization, pixels = plots.pictures.draw_distortion(DISTORTION, method="fsq").data
    assert list(tokens.x) == ["3", "17"]
    assert list(tokens.y) == pytest.approx([30, 10])
    assert list(quantization.y) == pytest.approx([20, 15])
    assert list(pixels.y) == pytest.approx([40, 5])
    assert tokens.customdata == (3, 17)
    assert quantization.marker.color.lower() == METHOD_COLOURS["fsq"].lower()
    assert len({trace.marker.color for trace in (tokens, quantization, pixels)}) == 3
    bars = plots.pictures.publish_distortion(DISTORTION).axes[0].patches
    assert sorted(bar.get_height() for bar in bars) == pytest.approx([5, 10, 15, 20, 30, 40])


def test_neighbours_stand_by_rank_and_can_be_picked() -> None:
    (cells,) = plots.geometry.draw_code_neighbours(NEIGHBOURS).data
    np.testing.assert_array_equal(cells.customdata, [[5, 17], [3, 9]])
    np.testing.assert_array_equal(cells.z, [[0.5, 0.75], [0.75, 1.0]])
    assert list(cells.y) == ["3", "17"]
    printed = [text.get_text() for text in plots.geometry.publish_code_neighbours(NEIGHBOURS).axes[0].texts]
    assert printed == ["5", "17", "3", "9"]


def test_each_code_has_a_line_of_its_own_kind() -> None:
    lines = plots.usage.draw_code_history(HISTORY).data
    assert [line.name for line in lines] == ["3", "17"]
    assert [list(line.y) for line in lines] == [[4, 6], [0, 2]]
    assert lines[0].line.dash != lines[1].line.dash
    printed = plots.usage.publish_code_history(HISTORY).axes[0].lines
    assert [list(line.get_ydata()) for line in printed] == [[4, 6], [0, 2]]


def test_a_history_that_does_not_exist_says_why() -> None:
    figure = plots.usage.draw_code_history(HISTORY.head(0), sentence="a grid has no history: look elsewhere")
    assert figure.layout.annotations[0].text == "a grid has no history:<br>look elsewhere"
    assert figure.layout.annotations[0].visible


def test_more_lines_than_can_be_told_apart_are_refused() -> None:
    many = filled(CODE_HISTORY, {"step": 0, "code": range(7), "count": 1})
    with pytest.raises(InputError, match="7 codes"):
        plots.usage.draw_code_history(many)


def test_the_posterior_is_drawn_where_there_is_one_and_distances_elsewhere() -> None:
    (bars,) = plots.pictures.draw_posterior(CANDIDATES, method="lgq").data
    assert list(bars.y) == [0.75, 0.25]
    assert bars.customdata == (3, 9)
    assert bars.marker.color[0] == METHOD_COLOURS["lgq"] != bars.marker.color[1]
    hard = plots.pictures.draw_posterior(CANDIDATES.assign(responsibility=np.nan))
    assert list(hard.data[0].y) == [0.25, 0.5]
    assert "Distance" in hard.layout.title.text
    assert hard.layout.yaxis.title.text == "distance"
    other = plots.pictures.draw_posterior(CANDIDATES.assign(responsibility=np.nan), metric="1 − cosine")
    assert other.layout.yaxis.title.text == "1 − cosine"
    printed = plots.pictures.publish_posterior(CANDIDATES).axes[0].patches
    assert [bar.get_height() for bar in printed] == [0.75, 0.25]


@pytest.mark.parametrize("name", ["pictures.distortion", "geometry.code_neighbours", "usage.code_history"])
def test_no_codes_say_what_to_do(name: str) -> None:
    figure = drawing(name, "draw")(FRAMES[name].head(0))
    assert figure.layout.annotations[0].visible
    assert figure.layout.annotations[0].text.replace("<br>", " ") == NO_CODES
    printed = drawing(name, "publish")(FRAMES[name].head(0))
    assert printed.texts[0].get_text().replace("\n", " ") == NO_CODES
