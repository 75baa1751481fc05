"""Are points on a canvas where the figure says, and are they named, picked, saved and redrawn like plotly's?"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from PIL import Image
from playwright.sync_api import Page

from benchmarks.browser.bare_charts import BareCharts
from lgq_explore.plots.geometry import MapPane, draw_latent_maps
from lgq_explore.plots.style import ON_CANVAS, ON_GROUND, PAPER, Title, axis, layout

pytestmark = pytest.mark.browser

SIDE = 10
CODES = np.arange(SIDE * SIDE, dtype=np.int32)
"""Codes on a grid of whole numbers: code 10 · y + x."""

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
YELLOW_GREEN = (128, 128, 0)
"""The middle of the colour scale from red to green."""
WHITE, BLACK = (255, 255, 255), (17, 17, 17)
"""Paper in the two themes."""
GREY = "#808080"
HOLLOW = 55
"""The one code without a value."""


def codes_map(step: int = 0, *, shift: float = 0.0, values: Sequence[float] = (0.0,) * 50 + (1.0,) * 50) -> go.Figure:
    """A map of codes coloured by values, the lower half red and the upper half green; one of them is hollow."""
    hollow = CODES == HOLLOW

    def points(chosen: np.ndarray, **marker: object) -> go.Scatter:
        codes = CODES[chosen]
        places = {"x": (codes % SIDE + shift).astype(np.float32), "y": (codes // SIDE).astype(np.float32)}
        label = {
            "text": [f"{code}<br>half: {code // 50}" for code in codes],
            "hovertemplate": "code %{text}<extra></extra>",
        }
        return go.Scatter(
            **places, **label, customdata=codes, mode="markers", marker={"size": 12, **marker}, meta=ON_CANVAS
        )

    scale = [[0, "rgb(255, 0, 0)"], [1, "rgb(0, 255, 0)"]]
    settings = layout(
        Title("A map", f"step {step}"),
        height=300,
        dragmode="lasso",
        showlegend=False,
        hovermode="closest",
        coloraxis={"colorscale": scale, "cmin": 0, "cmax": 1},
        xaxis=axis("x", range=[-1, SIDE], showgrid=False),
        yaxis=axis("y", range=[-1, SIDE], showgrid=False),
    )
    coloured = np.asarray(values, dtype=np.float32)[~hollow]
    return go.Figure(
        [
            points(hollow, color=PAPER, line={"color": GREY, "width": 2}),
            points(~hollow, color=coloured, coloraxis="coloraxis"),
        ],
        settings,
    )


def colours_at(charts: BareCharts, places: Sequence[Sequence[float]]) -> list[tuple[int, ...]]:
    """Colours on the screen at places in the first chart's data."""
    with Image.open(io.BytesIO(charts.page.screenshot())) as picture:
        pixels = picture.convert("RGB")
        return [pixels.getpixel((round(x), round(y))) for x, y in charts.on_screen(places)]


def test_maps_that_open_together_all_have_their_points(page: Page) -> None:
    BareCharts(page, [codes_map(), codes_map(1), codes_map(2)])
    assert page.locator(".lgq-chart canvas.lgq-dots").count() == 3


def test_points_lie_at_their_places_in_the_colours_of_their_values_also_after_a_zoom(page: Page) -> None:
    charts = BareCharts(page, [codes_map(values=[*(0.0,) * 50, *(1.0,) * 49, 0.5])])
    places = [[2, 2], [2, 7], [9, 9], [2.5, 7]]
    shown = colours_at(charts, places)
    assert [shown[0], shown[1], shown[3]] == [RED, GREEN, WHITE]
    assert np.allclose(shown[2], YELLOW_GREEN, atol=2)
    charts.read("Plotly.relayout(chart, {'xaxis.range': [1, 4], 'yaxis.range': [1, 8]}).then(() => null)")
    charts.settle()
    assert colours_at(charts, [[2, 2], [2, 7], [3, 7], [3.3, 6.6]]) == [RED, GREEN, GREEN, WHITE]
    axes = "chart._fullLayout"
    box = charts.read(f"[{axes}.xaxis._offset, {axes}.xaxis._length, {axes}.yaxis._offset, {axes}.yaxis._length]")
    drawn = charts.read("(({ style }) => [style.left, style.width, style.top, style.height].map(parseFloat))"
                        "(chart.querySelector('.lgq-dots'))")  # fmt: skip
    assert np.allclose(box, drawn, atol=2)  # nothing beyond the axes is drawn


def test_a_hollow_point_is_filled_with_the_paper_of_the_theme(page: Page) -> None:
    line = go.Scatter(x=[-1, SIDE], y=[5, 5], mode="lines", line={"color": "#0000FF", "width": 4})
    charts = BareCharts(page, [codes_map().add_trace(line)])
    for theme, paper in (("true", WHITE), ("false", BLACK), ("true", WHITE)):
        page.evaluate("theme => document.body.dataset.jpThemeLight = theme", theme)
        charts.settle()
        assert colours_at(charts, [[4.5, 5], [5, 5], [2, 2]]) == [BLUE, paper, RED]  # plotly's line passes below


def test_faint_points_and_lines_let_through_what_is_below(page: Page) -> None:
    line = {"mode": "lines", "line": {"color": "#000000", "width": 4}, "opacity": 0.5, "meta": ON_CANVAS}
    faint = {"mode": "markers", "marker": {"color": "#0000FF", "size": 12, "opacity": 0.5}, "meta": ON_CANVAS}
    figure = codes_map()
    figure.add_trace(go.Scatter(x=[2.5, 2.5, None, 4.5, 4.5], y=[0.5, 2.5, None, 0.5, 2.5], **line))
    figure.add_trace(go.Scatter(x=[2, 6.5], y=[2, 6.5], **faint))
    charts = BareCharts(page, [figure])
    found = colours_at(charts, [[2.5, 1.5], [4.5, 1.5], [3.5, 1.5], [2, 2], [6.5, 6.5]])
    expected = [(128, 128, 128), (128, 128, 128), WHITE, (128, 0, 128), (128, 128, 255)]
    assert np.allclose(found, expected, atol=2)


def label(charts: BareCharts, place: Sequence[float]) -> str:
    """What plotly's label says when the pointer rests at a place in the data."""
    (x, y) = charts.on_screen([place])[0]
    charts.page.mouse.move(x, y)
    found = charts.page.locator(".hovertext")
    found.wait_for()
    return found.text_content() or ""


def test_a_label_names_the_point_at_the_pointer(page: Page) -> None:
    charts = BareCharts(page, [codes_map()])
    assert label(charts, [2.1, 2.1]) == "code 22half: 0"
    page.mouse.move(0, 0)
    page.locator(".hovertext").wait_for(state="detached")
    assert label(charts, [4.9, 5.1]) == "code 55half: 1"
    assert charts.read("getComputedStyle(chart.querySelector('.hovertext path')).fill") == "rgb(255, 255, 255)"


def test_other_points_under_a_resting_pointer_get_their_label(page: Page) -> None:
    charts = BareCharts(page, [codes_map()])
    label(charts, [2, 2])
    charts.show([codes_map(shift=1)])
    assert page.locator(".hovertext").text_content() == "code 21half: 0"


def test_a_click_picks_the_nearest_point_and_none_far_from_all(page: Page) -> None:
    charts = BareCharts(page, [codes_map()])
    charts.read("Plotly.relayout(chart, {'xaxis.range': [1.5, 2.5], 'yaxis.range': [1.5, 2.5]}).then(() => null)")
    near, far = charts.on_screen([[2.01, 2.02], [2.4, 2.4]])
    page.mouse.click(*near)
    page.mouse.move(*far)
    page.wait_for_timeout(600)  # a click soon after another one is a double click
    page.mouse.click(*far)
    page.mouse.move(*near)
    page.wait_for_timeout(600)
    page.keyboard.down("Shift")
    page.mouse.click(*near)
    page.wait_for_function("sent.length === 2")
    assert charts.sent == [{"figure": "0", "codes": [22], "mode": mode} for mode in ("replace", "add")]


def test_a_lasso_and_a_box_catch_points(page: Page) -> None:
    charts = BareCharts(page, [codes_map()])
    around = [[3.5, 3.5], [3.5, 5.5], [5.5, 5.5], [5.5, 3.5]]
    charts.drag(around)
    charts.button("select").click()
    charts.drag([around[0], around[2]])
    assert [sorted(told["codes"]) for told in charts.sent] == [[44, 45, 54, HOLLOW]] * 2


def test_a_saved_picture_holds_the_points_on_white(page: Page, tmp_path: Path) -> None:
    charts = BareCharts(page, [codes_map()])
    page.evaluate('document.body.dataset.jpThemeLight = "false"')
    charts.settle()
    with page.expect_download() as download:
        charts.button("png").click()
    download.value.save_as(tmp_path / "map.png")
    with Image.open(tmp_path / "map.png") as picture:
        counted = {colour: count for count, colour in picture.convert("RGB").getcolors(1_000_000)}
    area = np.pi * 12**2  # pixels of a point at twice the size
    assert counted[RED] > 0.8 * 50 * area
    assert counted[GREEN] > 0.8 * 49 * area
    assert counted.get(BLACK, 0) == 0


def test_other_points_and_titles_are_drawn_without_plotly(page: Page) -> None:
    charts = BareCharts(page, [codes_map()])
    page.evaluate("void (Plotly.react = () => { throw new Error('the chart is drawn again'); })")
    charts.show([codes_map(1, shift=0.5)])
    assert colours_at(charts, [[2, 2], [2.5, 2], [2.5, 7]]) == [WHITE, RED, GREEN]
    assert page.locator(".lgq-chart-title").inner_text() == "A map step 1"


COUNT_DRAWINGS = """() => {
    globalThis.drawings = 0;
    const draw = CanvasRenderingContext2D.prototype.putImageData;
    CanvasRenderingContext2D.prototype.putImageData = function (...what) {
        drawings += 1;
        return draw.apply(this, what);
    };
}"""
"""A drawing for each trace of points."""


def test_the_ground_below_stays_while_other_points_are_drawn_and_moves_with_the_axes(page: Page) -> None:
    blue = go.Scatter(x=[2, 6.5], y=[2, 6.5], mode="markers", marker={"color": "#0000FF", "size": 12}, meta=ON_GROUND)
    paper = go.Scatter(x=[8.5], y=[0.5], mode="markers", marker={"color": PAPER, "size": 12}, meta=ON_GROUND)

    def on_ground(**codes: float) -> go.Figure:
        return codes_map(**codes).add_traces([blue, paper])

    charts = BareCharts(page, [on_ground()])
    assert colours_at(charts, [[2, 2], [6.5, 6.5], [2.5, 2]]) == [RED, BLUE, WHITE]  # it lies below
    page.evaluate(COUNT_DRAWINGS)
    charts.show([on_ground(shift=0.5)])
    assert page.evaluate("drawings") == 2
    assert colours_at(charts, [[2, 2], [6.5, 6.5], [2.5, 2]]) == [BLUE, BLUE, RED]
    charts.read("Plotly.relayout(chart, {'xaxis.range': [1, 9], 'yaxis.range': [1, 9]}).then(() => null)")
    charts.settle()
    assert colours_at(charts, [[6.5, 6.5], [6, 6.5]]) == [BLUE, WHITE]
    assert page.evaluate("drawings") >= 6
    charts.read("Plotly.relayout(chart, {'xaxis.range': [-1, 10], 'yaxis.range': [-1, 10]}).then(() => null)")
    page.evaluate("document.body.dataset.jpThemeLight = 'false'")
    charts.settle()
    assert colours_at(charts, [[6.5, 6.5], [8.5, 0.5]]) == [BLUE, BLACK]
    charts.show([codes_map()])
    assert colours_at(charts, [[6.5, 6.5]]) == [BLACK]


def test_points_that_are_gone_leave_nothing_behind(page: Page) -> None:
    charts = BareCharts(page, [codes_map()])
    charts.show([go.Figure(layout=codes_map().layout)])
    assert page.locator(".lgq-dots").count() == 0
    assert colours_at(charts, [[2, 2.2]]) == [WHITE]


@pytest.mark.parametrize("size", [64, 5000])
def test_a_map_of_codes_has_its_colour_bar_and_labels_and_needs_no_webgl(page: Page, size: int) -> None:
    codes = pd.DataFrame({"code": np.arange(size), "x": np.linspace(-1, 1, size), "y": 0.0, "count": 3})
    edges = pd.DataFrame({"code": [0], "neighbour": [1]})
    pane = MapPane("codes", codes, codes, edges, ("first", "second"), (-1.0, 1.0, -1.0, 1.0))
    charts = BareCharts(page, draw_latent_maps([pane]))
    assert page.locator(".lgq-dots").count() == 1
    assert page.locator(".gl-canvas").count() == 0
    assert page.locator(".colorbar .cbaxis text").count() > 1
    assert label(charts, [-1, 0.01]) == ("code 0tokens per code: 3" if size == 64 else "code 0")
