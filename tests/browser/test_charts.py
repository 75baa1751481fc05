"""Do charts follow the page's theme, have a toolbar, tell what is picked in them, and have words for screen readers?"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from matplotlib.colors import to_hex
from PIL import Image
from playwright.sync_api import Page

from benchmarks.browser.bare_charts import BareCharts
from lgq_explore.plots.contrast import DARK_PAPER, contrast
from lgq_explore.plots.style import (
    BLACK,
    BLUE,
    DEAD,
    GUIDE,
    INK,
    METHOD_COLOURS,
    ON_TOP,
    VERMILION,
    Title,
    axis,
    layout,
    method_colour,
    note,
)

pytestmark = pytest.mark.browser

SIDE = 10
CODES = np.arange(SIDE * SIDE, dtype=np.int32)
"""Codes on a grid of whole numbers: code 10 · y + x."""

TITLE = Title("A map of <codes>", "N = 100 tokens, and a detail that is too long for one line of a narrow chart")


def codes_map(drawn_by: Callable[..., object] = go.Scattergl) -> go.Figure:
    """A map whose codes can be picked, with lines and words in colours that follow the theme."""
    points = drawn_by(
        x=(CODES % SIDE).astype(np.float32),
        y=(CODES // SIDE).astype(np.float32),
        customdata=CODES,
        mode="markers",
        marker={"color": BLUE},
    )
    line = go.Scatter(x=[0, 9], y=[0, 9], mode="lines", line={"color": GUIDE}, hoverinfo="skip")
    settings = layout(
        TITLE,
        height=300,
        dragmode="lasso",
        showlegend=False,
        annotations=[note(f'<span style="color:{INK}">words</span>', 0, 1)],
        shapes=[{"type": "line", "x0": 3, "x1": 3, "y0": 0, "y1": 9, "line": {"color": BLACK}}],
        xaxis=axis("x", range=[-1, SIDE]),
        yaxis=axis("y", range=[-1, SIDE]),
    )
    return go.Figure([points, line], settings)


def bars(height: float = 1) -> go.Figure:
    return go.Figure(
        go.Bar(x=["a", "b"], y=[height, 2], customdata=[3, 17]),
        layout(Title("Bars", ""), height=300, xaxis=axis("x"), yaxis=axis("y")),
    )


AROUND_FOUR = [[1.5, 1.5], [1.5, 3.5], [3.5, 3.5], [3.5, 1.5]]
FOUR = [22, 23, 32, 33]


def test_charts_follow_the_theme_and_its_change(page: Page) -> None:
    charts = BareCharts(page, [codes_map()])

    def colours() -> list[str]:
        layout = "chart._fullLayout"
        parts = [f"{layout}.font.color", f"{layout}.shapes[0].line.color", "chart._fullData[1].line.color"]
        parts += [f"{layout}.xaxis.gridcolor", f"{layout}.hoverlabel.bgcolor", "chart._fullData[0].marker.color"]
        return charts.read(f"[{', '.join(parts)}]")

    light = ["rgb(33, 33, 33)", "rgb(0, 0, 0)", "rgb(97, 97, 97)", "rgb(224, 224, 224)", "rgb(255, 255, 255)", BLUE]
    dark = [
        "rgb(222, 222, 222)",
        "rgb(255, 255, 255)",
        "rgb(160, 160, 160)",
        "rgb(66, 66, 66)",
        "rgb(17, 17, 17)",
        BLUE,
    ]
    assert colours() == light
    page.evaluate('document.body.dataset.jpThemeLight = "false"')
    charts.settle()
    assert colours() == dark
    assert "rgb(222, 222, 222)" in charts.read("chart._fullLayout.annotations[0].text")
    assert charts.read("[chart._fullLayout.paper_bgcolor, chart._fullLayout.plot_bgcolor]") == ["rgba(0, 0, 0, 0)"] * 2
    charts.show([codes_map(go.Scatter)])
    assert colours() == dark


def test_charts_follow_a_theme_whose_colours_come_after_its_name(page: Page) -> None:
    charts = BareCharts(page, [codes_map()])
    page.evaluate('document.body.dataset.jpThemeName = "late"')
    charts.settle()
    page.evaluate(
        """() => new Promise((done) => {
            const style = "body { --jp-ui-font-color1: rgb(1, 2, 3) !important; }";
            const href = URL.createObjectURL(new Blob([style], { type: "text/css" }));
            const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href, onload: done });
            document.head.append(link);
        })"""
    )
    charts.settle()
    assert charts.read("chart._fullLayout.font.color") == "rgb(1, 2, 3)"


@pytest.mark.parametrize(("theme", "paper"), [("true", "#FFFFFF"), ("false", DARK_PAPER)])
def test_words_in_the_colours_of_lines_can_be_read_in_both_themes(page: Page, theme: str, paper: str) -> None:
    colours = sorted({*METHOD_COLOURS.values(), GUIDE, INK, *(method_colour(f"method {one}") for one in range(6))})
    words = [note("words", 0.1 * place, 0.1, colour=colour) for place, colour in enumerate(colours)]
    words += [note(f'<span style="color:{one}">x</span>', 0.1 * at, 0.6) for at, one in enumerate(colours)]
    right = axis("on the right", colour=VERMILION)
    figure = go.Figure(go.Scatter(y=[1, 2]), layout(TITLE, height=300, annotations=words, yaxis=right))
    charts = BareCharts(page, [figure])
    page.evaluate("theme => document.body.dataset.jpThemeLight = theme", theme)
    charts.settle()
    filled = page.evaluate("""() => [...document.querySelectorAll(".main-svg text, .main-svg tspan")]
        .filter(words => words.textContent.trim()).map(words => getComputedStyle(words).fill)""")
    assert len(filled) > 2 * len(colours)
    found = {to_hex([int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]) for colour in filled}
    assert not [colour for colour in found if contrast(colour, paper) < 4.5]
    lines = charts.read("chart._fullData[0].line.color")
    assert lines == BLUE  # which can be seen as it is


def test_dead_codes_follow_the_theme_in_a_colour_scale(page: Page) -> None:
    grey = [[0.0, DEAD], [0.5, DEAD], [1.0, BLUE]]
    cells = go.Heatmap(z=[[0, 1]], x=[0, 1], y=[0], colorscale=grey)
    charts = BareCharts(page, [go.Figure(cells, layout(Title("Cells", ""), height=300))])
    scale = charts.read("chart._fullData[0].colorscale")
    assert scale == [[0, "rgb(189, 189, 189)"], [0.5, "rgb(189, 189, 189)"], [1, BLUE]]


@pytest.mark.parametrize("width", [430, 855])
def test_the_toolbar_is_in_sight_and_covers_neither_title_nor_chart(page: Page, width: int) -> None:
    BareCharts(page, [codes_map()], width)
    overlapping = page.evaluate("""() => {
        const words = document.createRange();
        words.selectNodeContents(document.querySelector(".lgq-chart-title"));
        const boxes = [...words.getClientRects(), document.querySelector(".main-svg").getBoundingClientRect()];
        return [...document.querySelectorAll(".lgq-toolbar button:not([hidden])")].filter((button) => {
            const { left, right, top, bottom } = button.getBoundingClientRect();
            const isBeside = (box) => box.left >= right || box.right <= left;
            return boxes.some((box) => !isBeside(box) && box.top < bottom - 1 && box.bottom > top + 1);
        }).map((button) => button.title);
    }""")
    assert overlapping == []
    buttons = page.locator(".lgq-toolbar button:visible")
    tools = buttons.evaluate_all("buttons => buttons.map(button => button.dataset.tool)")
    assert tools == ["zoom", "pan", "select", "lasso", "reset", "png", "svg"]
    assert page.locator(".modebar").count() == 0
    assert page.locator(".lgq-chart-title").inner_text() == f"{TITLE.subject} {TITLE.detail}"


def test_only_charts_whose_codes_can_be_picked_have_tools_for_it(page: Page) -> None:
    charts = BareCharts(page, [bars()])
    assert charts.button("zoom").get_attribute("aria-pressed") == "true"
    assert not charts.button("lasso").is_visible()


@pytest.mark.parametrize("drawn_by", [go.Scattergl, go.Scatter])
def test_a_lasso_picks_what_lies_in_it_and_leaves_nothing_behind(page: Page, drawn_by: Callable[..., object]) -> None:
    charts = BareCharts(page, [codes_map(drawn_by)])
    charts.drag(AROUND_FOUR)
    assert charts.sent == [{"figure": "0", "codes": FOUR, "mode": "replace"}]
    assert page.locator(".lgq-outline, .select-outline").count() == 0


@pytest.mark.parametrize(("key", "mode"), [("Shift", "add"), ("Alt", "remove")])
def test_keys_say_whether_a_gesture_adds_or_removes(page: Page, key: str, mode: str) -> None:
    charts = BareCharts(page, [codes_map()])
    charts.drag(AROUND_FOUR)
    charts.drag(AROUND_FOUR, key=key)
    charts.button("select").click()
    charts.drag([AROUND_FOUR[0], AROUND_FOUR[2]], key=key)
    hover(charts, [5, 5])
    page.keyboard.down(key)
    page.mouse.down()
    page.mouse.up()
    page.wait_for_function("sent.length === 4")
    assert [told["mode"] for told in charts.sent] == ["replace", mode, mode, mode]
    assert [sorted(told["codes"]) for told in charts.sent] == [FOUR, FOUR, FOUR, [55]]


def test_escape_drops_a_lasso(page: Page) -> None:
    charts = BareCharts(page, [codes_map()])
    start, *others = charts.on_screen(AROUND_FOUR)
    page.mouse.move(*start)
    page.mouse.down()
    for x, y in others:
        page.mouse.move(x, y)
    assert page.locator(".lgq-outline").count() == 1
    page.keyboard.press("Escape")
    page.mouse.up()
    assert page.locator(".lgq-outline").count() == 0
    assert charts.sent == []


def marked(*codes: int) -> go.Figure:
    """The map with rings around codes, 10 pixels wide."""
    places = CODES[list(codes)]
    ring = {"size": 10, "symbol": "circle-open", "color": BLUE, "line": {"width": 2}}
    marks = go.Scattergl(x=(places % SIDE).tolist(), y=(places // SIDE).tolist(), marker=ring, meta=ON_TOP)
    return codes_map().add_trace(marks)


def centres_of_marks(charts: BareCharts) -> list[list[float]]:
    """Where rings lie on the screen."""
    return charts.page.evaluate("""() => {
        const path = document.querySelector(".lgq-marks path");
        const { e: left, f: top } = path.getScreenCTM();
        const starts = path.getAttribute("d").matchAll(/M([-.\\d]+),([-.\\d]+)/g);
        return [...starts].map(([, x, y]) => [left + Number(x) + 5, top + Number(y)]);
    }""")


def test_marks_lie_around_their_codes_also_after_a_zoom(page: Page) -> None:
    charts = BareCharts(page, [marked(22, 47)])
    assert charts.read("chart.data.length") == 2  # plotly draws points and line alone
    assert np.allclose(centres_of_marks(charts), charts.on_screen([[2, 2], [7, 4]]), atol=1)
    charts.read("Plotly.relayout(chart, {'xaxis.range': [1, 8], 'yaxis.range': [1, 5]}).then(() => null)")
    assert np.allclose(centres_of_marks(charts), charts.on_screen([[2, 2], [7, 4]]), atol=1)


def test_other_marks_are_drawn_without_their_chart(page: Page) -> None:
    charts = BareCharts(page, [marked(22)])
    page.evaluate("void (Plotly.react = () => { throw new Error('the chart is drawn again'); })")
    charts.show([marked(47, 48)])
    assert np.allclose(centres_of_marks(charts), charts.on_screen([[7, 4], [8, 4]]), atol=1)
    charts.show([codes_map()])
    assert page.locator(".lgq-marks path").count() == 0


def on_top(*shapes: dict[str, Any]) -> go.Figure:
    """The map with these shapes on top."""
    return codes_map().update_layout(shapes=[shape | {"name": ON_TOP} for shape in shapes], overwrite=True)


LINE = {"type": "line", "x0": 3, "x1": 3, "y0": 0, "y1": 1, "yref": "y domain", "line": {"color": BLACK, "width": 2}}
FRAME = {"type": "rect", "x0": 1, "x1": 4, "y0": 2, "y1": 5, "line": {"color": BLUE, "width": 2}}


def test_shapes_on_top_lie_at_their_places_and_move_without_their_chart(page: Page) -> None:
    charts = BareCharts(page, [on_top(LINE, FRAME)])
    assert charts.read("(chart.layout.shapes ?? []).length") == 0  # plotly draws neither
    (left, low), (right, high) = charts.on_screen([[1, 2], [4, 5]])
    frame = page.locator(".lgq-marks rect").bounding_box()
    assert frame is not None
    assert np.allclose([frame["x"], frame["y"]], [left, high], atol=2)
    assert np.allclose([frame["width"], frame["height"]], [right - left, low - high], atol=3)
    page.evaluate("void (Plotly.react = () => { throw new Error('the chart is drawn again'); })")
    charts.show([on_top(LINE | {"x0": 5, "x1": 5})])
    line = page.locator(".lgq-marks path").bounding_box()
    (place, _), (_, bottom), (_, top) = charts.on_screen([[5, 2], [5, 0], [5, 9]])
    assert line is not None
    assert line["x"] == pytest.approx(place, abs=2)
    assert line["y"] < top < bottom < line["y"] + line["height"]  # over the whole height of the axis
    assert page.locator(".lgq-marks rect").count() == 0


def test_a_shape_that_is_zoomed_out_of_sight_is_not_drawn(page: Page) -> None:
    charts = BareCharts(page, [on_top(LINE)])
    charts.read("Plotly.relayout(chart, {'xaxis.range': [4, 8]}).then(() => null)")
    assert page.locator(".lgq-marks path").count() == 0


def test_a_shape_at_the_end_of_an_axis_is_drawn(page: Page) -> None:
    charts = BareCharts(page, [on_top(LINE)])
    charts.read("Plotly.relayout(chart, {'xaxis.range': [3, 8]}).then(() => null)")
    assert page.locator(".lgq-marks path").count() == 1


def test_a_line_on_top_has_its_name_above_it(page: Page) -> None:
    label = {"text": "τ = 0.4", "xanchor": "left", "yanchor": "bottom", "font": {"size": 12, "color": BLACK}}
    BareCharts(page, [on_top(LINE | {"label": label})])
    assert page.locator(".lgq-marks text").text_content() == "τ = 0.4"


def test_a_chart_that_comes_back_is_as_it_was(page: Page) -> None:
    charts = BareCharts(page, [codes_map(), marked(22)])
    charts.read("Plotly.relayout(chart, {'xaxis.range': [1, 8]}).then(() => null)", number=1)
    charts.show([codes_map()])
    page.evaluate("void (Plotly.react = () => { throw new Error('the chart is drawn again'); })")
    charts.show([codes_map(), marked(22)])
    assert charts.read("chart._fullLayout.xaxis.range", number=1) == [1, 8]
    assert page.locator(".lgq-marks path").count() == 1


def test_the_room_that_labels_need_is_given_at_once_and_stays(page: Page) -> None:
    """Plotly draws a chart a second time where its margins turn out to be too small."""

    def bars(largest: float) -> go.Figure:
        setting = layout(TITLE, height=300, margin={"l": 5, "r": 5, "t": 52, "b": 5})
        axes = {"xaxis": axis("code"), "yaxis": axis("share of all tokens", tickformat=".6f")}
        return go.Figure(go.Bar(x=[0, 1], y=[largest / 2, largest]), setting | axes)

    charts = BareCharts(page, [bars(1)])
    page.evaluate("""() => {
        const { react } = Plotly;
        Plotly.react = (place, data, layout, settings) => {
            globalThis.given = { ...layout.margin };
            return react(place, data, layout, settings);
        };
    }""")
    needed = charts.read("({ ...chart._fullLayout._size })")
    assert needed["l"] > 30
    for largest in range(2, 9):
        charts.show([bars(largest)])
        assert page.evaluate("given") == {side: needed[side] for side in "lrtb"}
    assert charts.read("({ ...chart._fullLayout._size })") == needed


def test_a_lasso_in_a_heat_map_picks_cells(page: Page) -> None:
    along = np.arange(SIDE)
    cells = go.Heatmap(z=np.ones((SIDE, SIDE)), x=along, y=along, customdata=CODES.reshape(SIDE, SIDE))
    figure = go.Figure(
        cells, layout(Title("Cells", ""), height=300, dragmode="lasso", xaxis=axis("x"), yaxis=axis("y"))
    )
    charts = BareCharts(page, [figure])
    charts.drag(AROUND_FOUR)
    assert charts.sent == [{"figure": "0", "codes": FOUR, "mode": "replace"}]


def test_a_double_click_picks_nothing_where_codes_are_picked(page: Page) -> None:
    charts = BareCharts(page, [codes_map()])
    page.mouse.dblclick(*charts.on_screen([[5.5, 5.5]])[0])
    page.wait_for_function("sent.length > 0")
    assert charts.sent == [{"figure": "0", "codes": [], "mode": "replace"}]


def test_a_chart_is_zoomed_by_a_drag_and_shown_whole_again(page: Page) -> None:
    charts = BareCharts(page, [codes_map()])
    charts.button("zoom").click()
    charts.drag([[2, 2], [6, 6]])
    page.wait_for_function("document.querySelector('.js-plotly-plot')._fullLayout.xaxis.range[0] > 1")
    assert charts.sent == []
    zoomed = charts.read("chart._fullLayout.xaxis.range")
    charts.show([codes_map(go.Scatter)])
    assert charts.read("chart._fullLayout.xaxis.range") == zoomed
    charts.button("reset").click()
    page.wait_for_function("document.querySelector('.js-plotly-plot')._fullLayout.xaxis.range[0] === -1")


@pytest.mark.parametrize("theme", ["true", "false"])
def test_pictures_are_saved_black_on_white_and_named_after_the_title(page: Page, tmp_path: Path, theme: str) -> None:
    charts = BareCharts(page, [codes_map()], 400)
    page.evaluate("theme => document.body.dataset.jpThemeLight = theme", theme)
    charts.settle()
    saved = {}
    for kind in ("png", "svg"):
        with page.expect_download() as download:
            charts.button(kind).click()
        assert download.value.suggested_filename == f"a-map-of-codes.{kind}"
        saved[kind] = tmp_path / f"{theme}.{kind}"
        download.value.save_as(saved[kind])
    with Image.open(saved["png"]) as picture:
        assert picture.width == 800
        assert picture.convert("RGB").getpixel((2, 2)) == (255, 255, 255)
    written = saved["svg"].read_text(encoding="utf-8")
    assert "A map of &#60;codes&#62;" in written
    assert "rgb(34, 34, 34)" in written


def test_screen_readers_hear_a_charts_title(page: Page) -> None:
    BareCharts(page, [codes_map()])
    assert page.get_by_role("img", name=f"{TITLE.subject}: {TITLE.detail}").count() == 1
    assert page.get_by_role("button", name="Save this chart as SVG").count() == 1


def test_stale_charts_are_dimmed(page: Page) -> None:
    charts = BareCharts(page, [codes_map()])
    opacity = "getComputedStyle(chart).opacity"
    assert charts.read(opacity) == "1"
    charts.set({"stale": True})
    assert float(charts.read(opacity)) < 0.6


def hover(charts: BareCharts, place: list[float]) -> None:
    """Rest over a place in the first chart's data until plotly knows what lies there."""
    charts.page.mouse.move(*charts.on_screen([place])[0])
    charts.page.wait_for_function("document.querySelector('.js-plotly-plot')._hoverdata?.length > 0")


VIEWED_LATER = """async () => {
    const later = document.createElement("div");
    later.style.width = "600px";
    await widget.render({ model, el: later });
    document.body.append(later);
}"""


def test_a_view_that_is_put_on_the_page_after_it_was_made_has_the_pages_colours(page: Page) -> None:
    charts = BareCharts(page, [bars()])
    page.evaluate("document.body.dataset.jpThemeLight = 'false'")
    page.evaluate(VIEWED_LATER)
    page.wait_for_function(
        "[...document.querySelectorAll('.js-plotly-plot')].every("
        "(chart) => chart._fullLayout?.font.color === 'rgb(222, 222, 222)')"
    )
    assert page.locator(".lgq-charts").count() == 2
    charts.settle()


WATCHED = """() => {
    globalThis.turns = [];
    let frame = 0;
    const count = () => { frame += 1; requestAnimationFrame(count); };
    count();
    const { react } = Plotly;
    Plotly.react = (place, ...figure) => {
        const places = [...document.querySelectorAll(".lgq-chart")];
        turns.push({ chart: places.findIndex((chart) => chart.contains(place)), frame });
        return react(place, ...figure);
    };
}"""


ONE_A_FRAME = """async (states) => {
    for (const state of states) {
        model.set(state);
        await new Promise(requestAnimationFrame);
    }
}"""


def test_each_chart_is_painted_before_the_next_is_drawn(page: Page) -> None:
    charts = BareCharts(page, [bars(), bars(), bars()])
    page.evaluate(WATCHED)
    charts.show([bars(4), bars(5), bars(6)])
    turns = page.evaluate("turns")
    assert [turn["chart"] for turn in turns] == [0, 1, 2]
    assert all(later["frame"] > earlier["frame"] for earlier, later in pairwise(turns))


def test_no_chart_stays_behind_when_figures_arrive_faster_than_they_are_drawn(page: Page) -> None:
    charts = BareCharts(page, [bars(), bars(), bars()])
    page.evaluate(WATCHED)
    states = [BareCharts.shown([bars(10 * move + chart) for chart in range(3)]) for move in range(1, 8)]
    page.evaluate("(states) => states.forEach((state) => model.set(state))", states[:3])
    assert page.evaluate("turns.length") <= 3  # moves that nobody could have seen are passed over
    page.evaluate(ONE_A_FRAME, states[3:])
    charts.settle()
    assert [charts.read("chart.data[0].y[0]", number) for number in range(3)] == [70, 71, 72]
    assert [turn["chart"] for turn in page.evaluate("turns")][:3] == [0, 1, 2]  # the last has its turn in a drag, too


FIRST_FAILS = """() => {
    const { react } = Plotly;
    Plotly.react = (place, ...figure) => {
        if (!place.closest(".lgq-chart").previousSibling) throw new Error("planted");
        return react(place, ...figure);
    };
}"""


def test_a_chart_that_fails_leaves_the_others(page: Page) -> None:
    charts = BareCharts(page, [bars(), bars(), bars()])
    page.evaluate(FIRST_FAILS)
    with pytest.raises(AssertionError, match="planted"):
        charts.show([bars(4), bars(5), bars(6)])
    assert [charts.read("chart.data[0].y[0]", number) for number in (1, 2)] == [5, 6]


def test_a_title_of_many_lines_leaves_room_for_the_labels_of_its_chart(page: Page) -> None:
    BareCharts(page, [codes_map()])
    page.evaluate("document.getElementById('charts').style.width = '30px'")
    page.wait_for_function("document.querySelector('.lgq-chart-head').clientHeight > 260")
    assert page.evaluate("document.querySelector('.js-plotly-plot').clientHeight") >= 60
