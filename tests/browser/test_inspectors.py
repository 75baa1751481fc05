"""Do gestures in linked panels of a real JupyterLab show the patches, the pictures and the counts of the analysis?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, Position

import lgq_explore as lgq
from lgq_explore import analysis
from lgq_explore.analysis.codes import as_text
from lgq_explore.runs.encoding import Encoding
from lgq_explore.runs.run import Run
from tests.browser.notebook_page import NotebookPage, opened_notebook

if TYPE_CHECKING:
    from tests.browser.conftest import Lab

CELLS = (
    "import lgq_explore as lgq",
    'usage = lgq.widgets.UsageExplorer("lgq")\nusage',
    'codes = lgq.widgets.CodeInspector("lgq")\nlgq.widgets.link(usage, codes)\ncodes',
    'patch = lgq.widgets.PatchInspector("lgq")\nlgq.widgets.link(usage, codes, patch)\npatch',
)
CODES = 64
USAGE, INSPECTOR, PATCH = 0, 1, 2
"""The panels' places in the notebook."""

MAP, PATCHES, VIEW = 0, 0, 1
"""The places of charts in their panels."""

pytestmark = pytest.mark.browser


@dataclass(frozen=True)
class Chart:
    """A chart of a panel of the notebook, both counted from 0."""

    notebook: NotebookPage
    panel: int
    number: int

    @property
    def element(self) -> str:
        panel = f'document.querySelectorAll(".lgq-charts")[{self.panel}]'
        return f'{panel}?.querySelectorAll(".js-plotly-plot")[{self.number}]'

    def says(self, holds: str) -> str:
        return f"(chart => chart && chart._fullData && ({holds}))({self.element})"

    def wait_until(self, holds: str) -> None:
        """Wait until an expression about `chart` is true."""
        self.notebook.wait_until(self.says(holds))

    def wait_for_answer(self, holds: str, gesture: Callable[[], None]) -> None:
        """Make a gesture until an expression about `chart` is true."""
        self.notebook.wait_for_answer(self.says(holds), gesture)

    def read(self, expression: str) -> object:
        """The value of an expression about `chart`."""
        return self.notebook.page.evaluate(f"(chart => {expression})({self.element})")

    def title(self) -> str:
        return str(self.read("chart.getAttribute('aria-label')"))

    def place(self) -> Locator:
        return self.notebook.page.locator(".lgq-charts").nth(self.panel).locator(".js-plotly-plot").nth(self.number)

    def position(self, point: str) -> Position:
        """Where on the chart a point [x, y] of the clickable trace is; `trace` is that trace."""
        x, y = self.read(
            f"""(([x, y]) => {{
                const {{ xaxis, yaxis }} = chart._fullLayout;
                return [xaxis._offset + xaxis.d2p(x), yaxis._offset + yaxis.d2p(y)];
            }})((trace => {point})(chart._fullData.find(trace => trace.customdata)))"""
        )
        return {"x": x, "y": y}

    def click(self, point: str) -> None:
        self.place().click(position=self.position(point))

    def drag(self, start: str, end: str) -> None:
        self.place().hover(position=self.position(start))
        self.notebook.page.mouse.down()
        self.place().hover(position=self.position(end), force=True)  # plotly covers the page while one drags
        self.notebook.page.mouse.up()


@pytest.fixture
def notebook(lab: Lab, run: Run, page: Page) -> Iterator[NotebookPage]:
    """A notebook with three linked panels on one run."""
    with opened_notebook(lab, page, "inspectors.ipynb", CELLS) as opened:
        yield opened


def test_codes_are_picked_inspected_and_turned_off(run: Run, notebook: NotebookPage) -> None:
    notebook.run_all()
    usage_map, patches = Chart(notebook, USAGE, MAP), Chart(notebook, INSPECTOR, PATCHES)
    for chart in (usage_map, patches, Chart(notebook, PATCH, 1)):
        chart.wait_until("true")
    studied = lgq.study(run)
    encoding = studied.encoding
    held = encoding.codes.reshape(-1)
    code = int(analysis.usage.per_code(studied)["count"].argmax())

    patches.wait_for_answer("chart._fullData.length === 2", lambda: click_code(usage_map, code))
    assert_patches_hold(patches, encoding, [code])

    codes = codes_in_box()
    patches.wait_for_answer("chart._fullData.length > 2", lambda: drag_box(usage_map))
    assert text_in(notebook, "codes") == as_text(codes)
    shown = analysis.usage.per_code(studied).loc[codes].nlargest(5, "count")["code"]
    assert_patches_hold(patches, encoding, sorted(shown))

    notebook.button("turn selection off").click()
    notebook.button("pictures without them").click()
    pictures = Chart(notebook, INSPECTOR, VIEW)
    pictures.wait_until("chart.getAttribute('aria-label').startsWith('Without')")
    expected = analysis.pictures.turn_codes_off(studied, codes)
    assert expected.reassigned == np.isin(held, codes).sum() > 0
    assert f"{expected.reassigned:,d} tokens, {expected.change_db:+.3f} dB" in pictures.title()
    notebook.wait_for_text(f"{expected.reassigned:,d} of {held.size:,d} tokens reassigned")
    _, before, without = pictures.read("chart._fullData.map(trace => trace.source)")
    assert before != without
    written = f'lgq.codes("{as_text(codes)}")'
    notebook.wait_for_code(f"selection={written}, turned_off={written})")

    first = int(patches.read("chart._fullData.at(-1).customdata[0]"))
    image, row, column = (int(place) for place in np.unravel_index(first, encoding.codes[:, 0].shape))
    Chart(notebook, PATCH, 0).wait_for_answer(
        f"chart.getAttribute('aria-label').includes('row {row}, column {column} of picture {image} ')",
        lambda: patches.click("[trace.x[0], trace.y[0]]"),
    )
    posterior = analysis.pictures.posterior(studied, image, row, column)
    leading = f"{posterior.code},{posterior.runner_up},"  # the charts of a panel are drawn one after the other
    Chart(notebook, PATCH, 1).wait_until(f"Array.from(chart._fullData[0].customdata).join().startsWith('{leading}')")
    assert posterior.code == held[first]
    notebook.assert_fits()

    notebook.button("turn all on").click()
    notebook.wait_for_code(", turned_off=[])")


def click_code(usage_map: Chart, code: int) -> None:
    """Click a code's cell in the map of usage."""
    usage_map.click(f"[trace.x[{code} % trace.x.length], trace.y[Math.floor({code} / trace.x.length)]]")


def codes_in_box() -> list[int]:
    """The codes that `drag_box` catches."""
    side = int(np.sqrt(CODES))
    return [row * side + column for row in range(3) for column in range(4)]


def drag_box(usage_map: Chart) -> None:
    """Draw a box around the cells from the map's first row and column to its third row and fourth column."""
    third = "0.3 * (trace.y[1] - trace.y[0])"
    usage_map.drag(f"[trace.x[0] - 0.3, trace.y[0] - {third}]", f"[trace.x[3] + 0.3, trace.y[2] + {third}]")


def assert_patches_hold(patches: Chart, encoding: Encoding, codes: list[int]) -> None:
    """Each patch that can be clicked holds a code of those shown, and each code in use is among them."""
    shown = patches.read("Array.from(chart._fullData.at(-1).customdata)")
    held = encoding.codes.reshape(-1)[shown]
    assert set(held) == set(codes) & set(encoding.codes.reshape(-1).tolist())
    names = patches.read("chart._fullData.slice(0, -1).map(trace => trace.name)")
    assert [int(name.split("<br>")[0].removeprefix("code ")) for name in names] == codes


def text_in(notebook: NotebookPage, label: str) -> str:
    """What the inspector's box of that label holds."""
    return notebook.page.locator(".widget-text", has_text=label).last.locator("input").input_value()
