"""Does a chart tell what was picked in it, and nothing else?"""

from __future__ import annotations

import json

import plotly.graph_objects as go
import pytest

from lgq_explore.plots.style import ON_CANVAS, ON_TOP
from lgq_explore.widgets.parts.charts.widget import Charts, Mode, Picked, plotly_library


@pytest.fixture
def heard() -> list[Picked]:
    return []


@pytest.fixture
def charts(heard: list[Picked]) -> Charts:
    made = Charts()
    made.show({"map": go.Figure(), "curve": go.Figure()})
    made.on_select(heard.append)
    return made


def test_all_charts_of_a_kernel_share_one_copy_of_plotly() -> None:
    one, other = Charts(), Charts()
    assert one.plotly is other.plotly
    assert "Plotly" in one.plotly.source
    assert all(len(str(value)) < 10_000 for name, value in one.get_state().items() if not name.startswith("_"))


def test_a_closed_copy_is_replaced() -> None:
    closed = plotly_library()
    closed.close()
    assert plotly_library() is not closed
    assert plotly_library() is plotly_library()


def test_other_marks_leave_the_figure_as_it_is(charts: Charts) -> None:
    points = go.Scattergl(x=[0, 1, 2], y=[0, 1, 2], mode="markers")

    def marking(*places: int) -> go.Figure:
        return go.Figure([points, go.Scattergl(x=list(places), y=list(places), meta=ON_TOP)])

    charts.show({"map": marking(1), "curve": go.Figure()})
    before = charts.figures
    charts.show({"map": marking(0, 2), "curve": go.Figure()})
    assert charts.figures == before
    assert [len(json.loads(figure)["data"]) for figure in before.values()] == [1, 0]
    (marks,) = json.loads(charts.marks.pop("map"))["data"]
    assert (marks["x"], marks["y"], charts.marks) == ([0, 2], [0, 2], {})


def test_shapes_on_top_go_with_the_marks_and_others_stay(charts: Charts) -> None:
    line = {"type": "line", "x0": 1, "x1": 1, "y0": 0, "y1": 1}
    charts.show({"curve": go.Figure(layout={"shapes": [line, line | {"name": ON_TOP, "x0": 2}]})})
    assert [shape["x0"] for shape in json.loads(charts.figures["curve"])["layout"]["shapes"]] == [1]
    assert [shape["x0"] for shape in json.loads(charts.marks["curve"])["layout"]["shapes"]] == [2]


def test_marks_that_are_given_apart_lie_on_a_figure_that_is_kept(charts: Charts, monkeypatch) -> None:
    figure = go.Figure()
    marks = [go.Figure(layout={"shapes": [{"type": "line", "name": ON_TOP, "x0": place}]}) for place in (1, 2)]
    charts.show({"curve": figure}, {"curve": marks[0], "none": marks[0]})
    before, texts = charts.figures["curve"], []
    monkeypatch.setattr(figure, "to_dict", lambda: texts.append("again"))
    charts.show({"curve": figure}, {"curve": marks[1]})
    assert (charts.figures["curve"], texts) == (before, [])
    assert list(charts.marks) == ["curve"]
    assert json.loads(charts.marks["curve"])["layout"]["shapes"][0]["x0"] == 2


def test_a_figure_that_comes_back_is_not_made_into_text_again(charts: Charts, monkeypatch) -> None:
    first, second = go.Figure(layout={"title": "first"}), go.Figure(layout={"title": "second"})
    charts.show({"curve": first})
    before, texts = charts.figures["curve"], []
    charts.show({"curve": second})
    monkeypatch.setattr(first, "to_dict", lambda: texts.append("again"))
    charts.show({"curve": first})
    assert (charts.figures["curve"], texts) == (before, [])


def test_dots_travel_apart_from_the_figure_which_keeps_their_colour_bar(charts: Charts) -> None:
    def dots(*values: float) -> go.Figure:
        marker = {"color": values, "coloraxis": "coloraxis"}
        points = go.Scattergl(x=[0, 1], y=[0, 1], mode="markers", marker=marker, meta=ON_CANVAS)
        line = go.Scattergl(x=[0, 1], y=[0, 1], mode="lines", meta=ON_CANVAS)
        return go.Figure([line, points], {"coloraxis": {"cmin": 0, "cmax": 9}})

    charts.show({"map": dots(1, 2), "curve": go.Figure()})
    before = charts.figures
    charts.show({"map": dots(8, 9), "curve": go.Figure()})
    assert charts.figures == before
    (bar,) = json.loads(charts.figures["map"])["data"]
    assert (bar["x"], bar["marker"]["coloraxis"]) == ([None], "coloraxis")
    line, points = json.loads(charts.dots.pop("map"))["data"]
    assert (line["mode"], points["marker"]["color"], charts.dots) == ("lines", [8, 9], {})


def send(charts: Charts, content: object) -> None:
    """What arrives when the page calls model.send(content)."""
    charts._handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})


def test_the_codes_that_were_picked_arrive_sorted_and_once(charts: Charts, heard: list[Picked]) -> None:
    send(charts, {"figure": "curve", "codes": [17, 3, 17], "mode": "replace"})
    assert heard == [Picked(figure="curve", codes=[3, 17])]


def test_picking_nothing_arrives_too(charts: Charts, heard: list[Picked]) -> None:
    send(charts, {"figure": "map", "codes": [], "mode": "replace"})
    assert heard == [Picked(figure="map", codes=[])]


@pytest.mark.parametrize(
    "content",
    [
        {"figure": "other", "codes": [1], "mode": "replace"},
        {"figure": 1, "codes": [1], "mode": "replace"},
        {"figure": True, "codes": [1], "mode": "replace"},
        {"figure": "map", "codes": [-1], "mode": "replace"},
        {"figure": "map", "codes": [1.5], "mode": "replace"},
        {"figure": "map", "codes": "12", "mode": "replace"},
        {"figure": "map", "mode": "replace"},
        {"figure": "map", "codes": [1]},
        {"figure": "map", "codes": [1], "mode": "toggle"},
        "click",
        None,
    ],
)
def test_any_other_message_is_passed_over(charts: Charts, heard: list[Picked], content: object) -> None:
    send(charts, content)
    assert heard == []


def test_all_who_ask_are_told(charts: Charts, heard: list[Picked]) -> None:
    also: list[Picked] = []
    charts.on_select(also.append)
    send(charts, {"figure": "map", "codes": [5], "mode": "add"})
    assert also == heard == [Picked("map", [5], "add")]


@pytest.mark.parametrize(("mode", "selection"), [("replace", [3, 17]), ("add", [1, 3, 8, 17]), ("remove", [1, 8])])
def test_what_is_picked_replaces_the_selection_adds_to_it_or_leaves_it(mode: Mode, selection: list[int]) -> None:
    assert Picked("map", [3, 17], mode).of([8, 1, 3]) == selection
