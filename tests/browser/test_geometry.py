"""Does a lasso on the map fill a linked inspector with the codes that lie in it, and does the slider move the codes?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Page

import lgq_explore as lgq
from lgq_explore import analysis
from lgq_explore.analysis.codes import as_text
from lgq_explore.quantizers import FSQConfig
from lgq_explore.runs.run import Run
from lgq_explore.runs.study import study
from lgq_explore.training.loop import train
from lgq_explore.widgets.parts.state.pieces import MOST_WRITTEN_OUT
from tests.browser.notebook_page import SECONDS, SMALL, NotebookPage, chart, opened_notebook

if TYPE_CHECKING:
    from tests.browser.conftest import Lab

CELLS = (
    "import lgq_explore as lgq",
    'geometry = lgq.widgets.GeometryExplorer("lgq", beside="fsq")\ngeometry',
    'codes = lgq.widgets.CodeInspector("lgq")\nlgq.widgets.link(geometry, codes)\ncodes',
)
MAP, BESIDE = chart(0), chart(1)
MARKED = f"Number({MAP}.querySelector('.lgq-marks')?.dataset.count)"
CODES = 64

pytestmark = pytest.mark.browser


@pytest.fixture
def run(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("LGQ_EXPLORE_DATA", str(lab.data))
    recipe = replace(SMALL, snapshot_steps=2)
    train(replace(recipe, quantizer=FSQConfig((4, 4, 4)), loss_weights={}), lab.data / "runs" / "fsq")
    return train(recipe, lab.data / "runs" / "lgq")


@pytest.fixture
def notebook(lab: Lab, run: Run, page: Page) -> Iterator[NotebookPage]:
    """A notebook with the map of a run beside a grid's, linked to an inspector."""
    with opened_notebook(lab, page, "geometry.ipynb", CELLS) as opened:
        yield opened


def test_a_lasso_fills_the_inspector_and_the_slider_moves_the_codes(run: Run, notebook: NotebookPage) -> None:
    notebook.run_all()
    notebook.wait_until(f"{MAP}?.lgqDots?.length === 4 && {BESIDE}?.lgqDots?.length === 4")
    notebook.wait_until('document.querySelectorAll(".lgq-charts").length === 2')
    notebook.wait_for_kernel()
    mapped = analysis.geometry.latent_map(study(run))
    assert_drawn(notebook, mapped.of("code", 6))

    # On the right lie codes of another run, that can't be picked: a lasso there leaves the selection.
    typed = notebook.page.locator(".widget-text", has_text="codes").locator("input").first
    typed.fill("3, 5")
    typed.press("Enter")
    notebook.wait_until(f"{MARKED} === 2")
    draw_lasso(notebook, triangle_on_the_right(notebook), BESIDE)
    notebook.page.wait_for_timeout(3 * SECONDS)
    assert notebook.page.evaluate(MARKED) == 2

    codes = mapped.of("code", 6)
    lasso = triangle_around(codes)
    inside = codes[within(codes, lasso)]["code"].tolist()
    assert 3 < len(inside) < CODES
    notebook.wait_for_answer(f"{MARKED} === {len(inside)}", lambda: draw_lasso(notebook, lasso))
    said = as_text(inside)
    boxes = notebook.page.locator(".widget-text", has_text="codes").locator("input")
    assert {boxes.nth(place).input_value() for place in range(boxes.count())} >= {said}
    written = inside if len(inside) <= MOST_WRITTEN_OUT else f'lgq.codes("{as_text(inside)}")'
    notebook.wait_for_code(f"selection={written}, turned_off=[])")
    notebook.wait_for_text(f"{len(inside)} codes")
    patches = 'document.querySelectorAll(".lgq-charts")[1].querySelector(".js-plotly-plot")'
    shown = analysis.usage.per_code(lgq.study(run)).loc[inside].nlargest(5, "count")["code"].sort_values().tolist()
    notebook.wait_until(f"{patches}._fullData.length > 2")
    names = notebook.page.evaluate(f"{patches}._fullData.slice(0, -1).map(trace => trace.name)")
    assert [int(name.split("<br>")[0].removeprefix("code ")) for name in names] == shown

    ranges = axes_of(notebook)
    notebook.slider("codes of step").focus()
    for step in (4, 2, 0):
        notebook.page.keyboard.press("ArrowLeft")
        notebook.wait_until(f"{MAP}.getAttribute('aria-label').includes('step {step}:')")
        assert_drawn(notebook, mapped.of("code", step))
        assert axes_of(notebook) == ranges
    assert not np.allclose(mapped.of("code", 0)[["x", "y"]], mapped.of("code", 6)[["x", "y"]])
    notebook.assert_fits()


def assert_drawn(notebook: NotebookPage, codes: pd.DataFrame) -> None:
    """The left map holds every code where the analysis puts it, hollow and coloured ones together."""
    drawn = notebook.page.evaluate(
        f"""() => {MAP}.lgqDots.slice(2, 4).flatMap(trace =>
            Array.from(trace.x).map((x, place) => [trace.customdata[place], x, trace.y[place]]))"""
    )
    assert sorted(drawn) == codes[["code", "x", "y"]].to_numpy(dtype=float).tolist()


def axes_of(notebook: NotebookPage) -> list[list[float]]:
    return notebook.page.evaluate(f"[{MAP}._fullLayout.xaxis.range, {MAP}._fullLayout.yaxis.range]")


def triangle_around(codes: pd.DataFrame) -> np.ndarray:
    """Corners [3, 2] of a triangle over a part of the map, no code so near its edges that a pixel would decide."""
    tried = []
    for share in np.linspace(0.05, 0.3, 26):
        left, bottom = codes[["x", "y"]].quantile(share)
        right, top = codes[["x", "y"]].quantile(1 - share)
        corners = np.array([[left, bottom], [right, bottom], [left, top]])
        tried.append((np.abs(edge_distances(codes, corners)).min(), corners))
    return max(tried, key=lambda one: one[0])[1]


def within(codes: pd.DataFrame, corners: np.ndarray) -> np.ndarray:
    """Whether each code lies in the triangle: on the same side of its three edges."""
    distances = edge_distances(codes, corners)
    return (distances > 0).all(axis=0) | (distances < 0).all(axis=0)


def edge_distances(codes: pd.DataFrame, corners: np.ndarray) -> np.ndarray:
    """[3, K]: distance of each code from the line through each edge, negative on one side of it."""
    points = codes[["x", "y"]].to_numpy()
    distances = []
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        along, towards = (end - start) / np.linalg.norm(end - start), points - start
        distances.append(along[0] * towards[:, 1] - along[1] * towards[:, 0])
    return np.array(distances)


def triangle_on_the_right(notebook: NotebookPage) -> np.ndarray:
    """Corners [3, 2] of a triangle over half of the right map, a little inside of its borders."""
    ends = np.array(notebook.page.evaluate(f"[{BESIDE}._fullLayout.xaxis.range, {BESIDE}._fullLayout.yaxis.range]"))
    low, high = (0.95 * ends[:, near] + 0.05 * ends[:, far] for near, far in ((0, 1), (1, 0)))
    return np.array([low, [high[0], low[1]], [low[0], high[1]]])


def draw_lasso(notebook: NotebookPage, corners: np.ndarray, chosen: str = MAP) -> None:
    """Drag along the corners, a few steps an edge, on the left map or another one."""
    place = notebook.page.locator(".lgq-charts .js-plotly-plot").first
    place.scroll_into_view_if_needed()
    on_screen = notebook.page.evaluate(
        f"""corners => {{
            const {{ xaxis, yaxis }} = {chosen}._fullLayout;
            const box = {chosen}.getBoundingClientRect();
            return corners.map(([x, y]) =>
                [box.left + xaxis._offset + xaxis.d2p(x), box.top + yaxis._offset + yaxis.d2p(y)]);
        }}""",
        corners.tolist(),
    )
    mouse = notebook.page.mouse
    mouse.move(*on_screen[0])
    mouse.down()
    for x, y in [*on_screen[1:], on_screen[0]]:
        mouse.move(x, y, steps=12)
    mouse.up()
