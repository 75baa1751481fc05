"""Do the figures of a toy show the frames they are given, hot at left, and name what they lack?"""

from __future__ import annotations

import base64
import math
import re
from dataclasses import replace
from io import BytesIO
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from PIL import Image

from lgq_explore import plots
from lgq_explore.errors import InputError
from lgq_explore.frames import toys
from lgq_explore.frames.temperature import ANNEALED_STATES
from lgq_explore.plots.style import Title
from lgq_explore.plots.toys.plane import PALE, code_colours, field_picture
from tests.plots.filled_frames import filled

TITLE = Title("a plane", "N = 5")
X = np.array([-1.0, 0.0, 1.0, 2.0])
Y = np.array([10.0, 11.0, 12.0])
POINTS = np.array([[-1.0, 10.0], [0.0, 11.0], [1.0, 12.0], [2.0, 10.0], [0.5, 10.5]])
CODES = pd.DataFrame(
    {
        "code": [0, 1, 2],
        "x": [-0.5, 1.5, 1.5],
        "y": [11.0, 11.0, 11.0],
        "share": [0.75, 0.25, 0.0],
        "together": [1, 2, 2],
    }
)
HARD = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 2]])
STATES = filled(
    ANNEALED_STATES,
    {
        "temperature": [2.0, 0.2],
        "effective_centres": [1.0, 1.9],
        "distinct_centres": [1, 2],
        "converged": [True, True],
        "tokens": [50, 50],
    },
)
CENTRES = pd.DataFrame(
    {
        "temperature": [2.0, 2.0, 0.2, 0.2],
        "code": [0, 1, 0, 1],
        "axis_0": [0.0, 0.0, -1.0, 1.0],
        "axis_1": [0.0, 0.0, 0.5, 0.5],
        "mass": [0.5] * 4,
    }
)
CURVE = filled(toys.CURVE, {"step": [0, 10], "ratio": [4.0, 1.05]})
TABLE = filled(
    toys.TABLE,
    {
        "data": ["ring", "ring", "grid", "grid"],
        "method": ["lgq", "vq", "lgq", "vq"],
        "seed": [0, 0, 0, 0],
        "ratio": [1.1, 1.0, 2.0, 1.2],
        "tokens": [100] * 4,
    },
)


def panel(codes: pd.DataFrame = CODES, field: np.ndarray = HARD) -> plots.toys.PlanePanel:
    return plots.toys.PlanePanel("<b>Hard</b><br>two used", field, X, Y, codes)


def pixels_of(source: str) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(base64.b64decode(source.partition(",")[2]))).convert("RGB"))


def test_hard_cells_have_their_codes_colours_with_the_highest_y_on_top_and_dark_edges() -> None:
    picture = field_picture(HARD, 3)
    pale = np.round(255 * (1 - PALE * (1 - code_colours(3))))
    assert picture.shape == (3, 4, 3)
    assert picture[2, 0] == pytest.approx(pale[0], abs=1)  # the lowest row comes last
    assert picture[0, 3] == pytest.approx(pale[2], abs=1)
    assert picture[2, 1].sum() < pale[0].sum() / 2


def test_soft_places_mix_the_colours_by_their_responsibilities() -> None:
    shared = np.full((3, 4, 2), 0.5)
    shared[0, 0] = [1.0, 0.0]
    picture, pale = field_picture(shared, 2), 255 * (1 - PALE * (1 - code_colours(2)))
    assert picture[0, 0] == pytest.approx(pale.mean(0), abs=1)
    assert picture[2, 0] == pytest.approx(pale[0], abs=1)


def places_of(source: str) -> np.ndarray:
    """The points [N, 2] of a picture that fills the plane of `panel`."""
    picture = unquote(source.partition(",")[2])
    width = float(re.search(r'viewBox="0 0 (\d+) ', picture)[1])
    across, down = np.array(re.findall(r"M(-?\d+),(-?\d+)h0", picture), dtype=float).T
    return np.stack([-1.5 + 4 * across / width, 12.5 - 4 * down / width], axis=1)


def test_colours_of_many_codes_differ() -> None:
    colours = code_colours(64)
    assert ((colours >= 0) & (colours <= 1)).all()
    assert len(np.unique(colours.round(3), axis=0)) == 64


def test_a_plane_has_its_field_points_and_codes() -> None:
    figure = plots.toys.draw_toy_plane([panel(), panel()], POINTS, TITLE)
    lines, live, dead, *others = figure.data
    assert len(others) == 3
    assert len(lines.x) == 0
    assert (live.x.tolist(), live.y.tolist()) == (CODES["x"].tolist(), CODES["y"].tolist())
    alone, *together = live.marker.size
    assert alone > together[0] > together[1]  # 0.75; two of 0.25; two of 0
    assert len(dead.x) == 0
    image, points, *others = figure.layout.images
    assert len(others) == 2
    assert (image.x, image.y, image.sizex, image.sizey) == (-1.5, 12.5, 4.0, 3.0)
    assert (points.x, points.y, points.sizex, points.sizey, points.xanchor) == (2.5, 12.5, 4.0, 3.0, "right")
    assert places_of(points.source) == pytest.approx(POINTS, abs=0.01)
    assert (pixels_of(image.source) == field_picture(HARD, 3)).all()
    assert [note.text for note in figure.layout.annotations] == ["<b>Hard</b><br>two used"] * 2


def test_codes_at_one_place_are_counted_once_and_dead_ones_are_crosses() -> None:
    *_, live, dead = plots.toys.draw_toy_plane([panel()], POINTS, TITLE).data
    assert list(live.text) == ["", "", "2×"]
    marked = CODES.assign(dead=[False, False, True])
    *_, live, dead = plots.toys.draw_toy_plane([panel(marked)], POINTS, TITLE).data
    assert (len(live.x), dead.x.tolist(), dead.marker.symbol) == (2, [1.5], "x")
    assert "dead" in dead.hovertext[0]


def test_lines_join_neighbours_of_a_grid_under_the_codes() -> None:
    edges = pd.DataFrame({"group": [0, 0], "code": [0, 2], "neighbour": [2, 1]})
    netted = replace(panel(), edges=edges)
    lines, _, _ = plots.toys.draw_toy_plane([netted], POINTS, TITLE).data
    assert lines.x == pytest.approx([-0.5, 1.5, math.nan, 1.5, 1.5, math.nan], nan_ok=True)
    axes, *_ = plots.toys.publish_toy_plane([netted], POINTS, TITLE).axes
    (net,) = (drawn for drawn in axes.collections if isinstance(drawn, LineCollection))
    assert [line.tolist() for line in net.get_segments()] == [[[-0.5, 11], [1.5, 11]], [[1.5, 11], [1.5, 11]]]


def test_many_points_are_thinned_evenly() -> None:
    many = np.random.default_rng(0).normal(size=(10_000, 2))
    places = places_of(plots.toys.draw_toy_plane([panel()], many, TITLE).layout.images[1].source)
    assert len(places) == plots.toys.POINTS_SHOWN
    assert places[[0, -1]] == pytest.approx(many[[0, -1]], abs=0.01)


def test_the_bifurcation_is_hot_at_left_with_both_temperatures_marked() -> None:
    figure = plots.temperature.draw_bifurcation(CENTRES, STATES, 1.0)
    first, second = figure.data
    assert first.y.tolist() == [0.0, -1.0]
    assert second.y.tolist() == [0.0, 1.0]
    effective, distinct = plots.temperature.draw_centre_counts(STATES, 1.0).data
    assert effective.y.tolist() == [1.0, 1.9]
    assert distinct.y.tolist() == [1, 2]
    left, right = figure.layout.xaxis.range
    assert (10**left, 10**right) == pytest.approx((2.0, 0.2))
    (critical,), (present,) = figure.layout.shapes, plots.temperature.mark_present(0.5).layout.shapes
    assert (critical.x0, present.x0) == (1.0, 0.5)
    assert (figure.layout.annotations[0].text, present.label.text) == ("τ<sub>c</sub> = 1", "τ = 0.5")
    assert "N = 50" in figure.layout.title.text
    assert plots.temperature.draw_bifurcation(CENTRES, STATES, 1.0, along=1).data[0].y.tolist() == [0.0, 0.5]


def test_centres_that_have_not_come_to_rest_are_not_counted() -> None:
    moving = STATES.assign(converged=[True, False])
    assert np.isnan(plots.temperature.draw_centre_counts(moving, 1.0).data[1].y).tolist() == [False, True]


def test_the_distance_is_a_line_a_method_above_one() -> None:
    figure = plots.toys.draw_toy_distance({"lgq": CURVE}, "N = 5", steps=10)
    assert figure.data[0].y.tolist() == [4.0, 1.05]
    assert figure.layout.shapes[0].y0 == 1
    low, high = figure.layout.yaxis.range
    assert 10**low < 1 < 4 < 10**high
    assert not plots.toys.draw_toy_distance({}, "N = 5", steps=10).data


def test_the_table_has_a_mark_a_fit() -> None:
    figure = plots.toys.publish_toy_table(TABLE)
    (axes,) = figure.axes
    marks = {each.get_label(): each.get_offsets()[:, 1].tolist() for each in axes.collections}
    assert marks == {"lgq": [1.1, 2.0], "vq": [1.0, 1.2]}
    assert [label.get_text() for label in axes.get_xticklabels()] == ["ring", "grid"]
    assert "1 seed;" in figure.get_suptitle()


def test_a_plane_without_codes_yet_shows_its_points_alone() -> None:
    waiting = replace(panel(), field=None, codes=None, heading="being annealed")
    figure = plots.toys.draw_toy_plane([panel(), waiting], POINTS, TITLE)
    assert [image.name for image in figure.layout.images] == ["field", "points", "points"]
    assert places_of(figure.layout.images[2].source) == pytest.approx(POINTS, abs=0.01)
    assert [len(trace.x) for trace in figure.data[3:]] == [0, 0, 0]
    assert figure.layout.annotations[1].text == "being annealed"


def test_what_is_not_there_yet_is_said_in_the_title() -> None:
    figure = plots.toys.empty_place(Title("How centres part", "being annealed"))
    assert "being annealed" in figure.layout.title.text
    assert not figure.data


def test_every_figure_has_a_printed_twin() -> None:
    for printed in (
        plots.toys.publish_toy_plane([panel(CODES.assign(dead=[False, False, True]))], POINTS, TITLE),
        plots.temperature.publish_bifurcation(CENTRES, STATES, 1.0, 0.5),
        plots.toys.publish_toy_distance({"lgq": CURVE, "vq": CURVE}, "N = 5", steps=10),
        plots.toys.publish_toy_table(TABLE),
    ):
        assert isinstance(printed, Figure)
        assert printed.axes[0].has_data()
        assert printed._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]


def test_other_points_and_another_axis_are_refused() -> None:
    with pytest.raises(InputError, match=r"\[5, 1\]"):
        plots.toys.publish_toy_plane([panel()], POINTS[:, :1], TITLE)
    with pytest.raises(InputError, match="axis_2"):
        plots.temperature.draw_bifurcation(CENTRES, STATES, 1.0, along=2)
