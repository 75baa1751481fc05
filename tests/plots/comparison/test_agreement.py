"""Does the figure show each pair's agreement beside what chance gives?"""

from __future__ import annotations

import pandas as pd
import pytest

from lgq_explore.errors import InputError
from lgq_explore.plots.comparison import draw_agreement, publish_agreement


def agreement() -> pd.DataFrame:
    return pd.DataFrame(
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
        }
    )


def test_each_pair_has_its_agreement_and_its_null() -> None:
    null, same = draw_agreement(agreement()).data
    assert list(same.y) == list(null.y) == ["one – two", "one – three"]
    assert list(same.x) == [0.4, -0.1]
    assert list(null.x) == [0.05, 0.0]
    assert list(null.error_x.array) == [0.02, 0.04]


def test_the_title_has_n_and_the_axis_room() -> None:
    figure = draw_agreement(agreement())
    assert "N = 23,552 tokens of 368 crops, 4 photographs" in figure.layout.title.text
    assert figure.layout.xaxis.range[0] < -0.1
    assert figure.layout.xaxis.range[1] == 1
    assert draw_agreement(agreement().iloc[:1]).layout.xaxis.range[0] == 0


def test_the_printed_figure_holds_the_same() -> None:
    (axes,) = publish_agreement(agreement()).axes
    (dots,) = [each for each in axes.collections if each.get_label() == "the same images"]
    assert dots.get_offsets()[:, 0].tolist() == [0.4, -0.1]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["one – two", "one – three"]


@pytest.mark.parametrize("draw", [draw_agreement, publish_agreement])
def test_another_frame_is_refused(draw: object) -> None:
    with pytest.raises(InputError, match="give one of code_agreement"):
        draw(agreement().drop(columns="null"))
    with pytest.raises(InputError, match="a frame of 0 rows"):
        draw(agreement().iloc[:0])
