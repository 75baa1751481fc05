"""Does every picture arrive whole, in its row and column?"""

from __future__ import annotations

import base64
import itertools
from io import BytesIO

import numpy as np
import plotly.graph_objects as go
import pytest
from PIL import Image

from lgq_explore.errors import InputError
from lgq_explore.plots.pictures import draw_images, publish_images

SIDE = 32


@pytest.fixture
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (4, 3, SIDE, SIDE), dtype=np.uint8)


def pixels_of(trace: go.Image) -> np.ndarray:
    head, _, data = trace.source.partition(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(BytesIO(base64.b64decode(data))))


def test_pictures_are_enlarged_by_whole_pixels_side_by_side(pictures: np.ndarray) -> None:
    (row,) = draw_images({"input": pictures}).data
    strip = pixels_of(row)
    side = strip.shape[0]
    scale, rest = divmod(side, SIDE)
    assert scale >= 2
    assert rest == 0
    step = (strip.shape[1] - side) // (len(pictures) - 1)
    for index, picture in enumerate(pictures):
        shown = strip[::scale, index * step : index * step + side : scale]
        np.testing.assert_array_equal(shown[..., :3], picture.transpose(1, 2, 0))
        assert (shown[..., 3] == 255).all()
    assert (strip[:, side:step, 3] == 0).all(), "between them the page is seen, which may be dark"


def test_rows_are_named_from_top_to_bottom_and_do_not_overlap(pictures: np.ndarray) -> None:
    figure = draw_images({"input": pictures, "soft": pictures // 2, "hard": pictures // 4})
    assert figure.layout.yaxis.ticktext == ("input", "soft", "hard")
    bottom, top = figure.layout.yaxis.range
    assert bottom > top
    edges = [(trace.y0 - 0.5, trace.y0 - 0.5 + len(pixels_of(trace))) for trace in figure.data]
    for (above, below), centre in zip(edges, figure.layout.yaxis.tickvals, strict=True):
        assert centre == (above + below) / 2
    assert all(before[1] < after[0] for before, after in itertools.pairwise(edges))
    assert edges[-1][1] == bottom


def test_a_method_without_soft_pictures_has_no_row_for_them(pictures: np.ndarray) -> None:
    figure = draw_images({"input": pictures, "soft": None, "hard": pictures})
    assert [trace.name for trace in figure.data] == ["input", "hard"]


def test_the_title_says_how_many_of_what_size(pictures: np.ndarray) -> None:
    assert "4 pictures of 32 × 32 pixels" in draw_images({"input": pictures}).layout.title.text
    assert "1 picture of 32 × 32 pixels" in draw_images({"input": pictures[:1]}).layout.title.text


def test_large_pictures_keep_their_pixels() -> None:
    large = np.zeros((2, 3, 256, 256), dtype=np.uint8)
    assert len(pixels_of(draw_images({"input": large}).data[0])) == 256


@pytest.mark.parametrize("rows", [{}, {"soft": None}])
def test_no_pictures_say_so_in_both_forms(rows: dict) -> None:
    figure = draw_images(rows)
    assert [note.text for note in figure.layout.annotations] == ["No pictures have been reconstructed yet."]
    assert figure.layout.annotations[0].visible
    assert [text.get_text() for text in publish_images(rows).texts] == ["No pictures have been reconstructed yet."]


def test_the_printed_page_holds_the_rows_of_the_interactive_one(pictures: np.ndarray) -> None:
    rows = {"input": pictures, "hard": 255 - pictures}
    axes = publish_images(rows).axes[0]
    page = axes.images[0].get_array()
    for trace in draw_images(rows).data:
        strip, top = pixels_of(trace), int(trace.y0 - 0.5)
        np.testing.assert_array_equal(page[top : top + len(strip)], strip)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["input", "hard"]


@pytest.mark.parametrize("draw", [draw_images, publish_images])
def test_rows_of_different_shapes_are_refused(draw, pictures: np.ndarray) -> None:
    with pytest.raises(InputError, match="different shapes"):
        draw({"input": pictures, "hard": pictures[:2]})


@pytest.mark.parametrize("images", [np.zeros((1, 3, 8, 8)), np.zeros((1, 8, 8, 3), dtype=np.uint8)])
def test_what_are_no_pictures_is_refused_by_row(images: np.ndarray) -> None:
    with pytest.raises(InputError, match="row 'soft'"):
        draw_images({"soft": images})
