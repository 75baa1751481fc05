"""How does a test read and use a notebook that is open in a browser?"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, TimeoutError

from benchmarks.browser.page import PATIENCE, SECONDS, Lab, write_notebook
from benchmarks.browser.page import NotebookPage as AnyNotebookPage
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import LGQConfig, VQConfig
from lgq_explore.runs.config import TrainConfig

__all__ = [
    "HARD",
    "OUTPUTS",
    "SECONDS",
    "SMALL",
    "NotebookPage",
    "chart",
    "choose",
    "metadata_of",
    "opened_notebook",
    "shut_down_kernel",
    "wait_for",
]

SMALL = TrainConfig(
    data="fake",
    batch_size=4,
    steps=6,
    snapshot_steps=3,
    log_steps=1,
    backbone=BackboneConfig(channels=(8, 8, 8), dim=4),
    quantizer=LGQConfig(codebook_size=64),
)
"""A recipe that trains while a browser starts."""

HARD = replace(SMALL, quantizer=VQConfig(codebook_size=64), loss_weights={})
"""Its rival without temperature, as quick."""

GESTURES, ANSWER = 6, 20 * SECONDS
OUTPUTS = """[...document.querySelectorAll(".jp-OutputArea")].map(area =>
    [...area.querySelectorAll(":scope > .jp-OutputArea-child")].map(output => ({
        isVisible: output.checkVisibility(),
        isLive: Boolean(output.querySelector(".lgq-panel")),
        text: output.innerText,
        width: Math.max(0, ...[...output.querySelectorAll("img, table")].map(part => part.offsetWidth)),
    }))
).filter(outputs => outputs.length)"""
"""What lies in each cell's output area: for each output what it shows, and how wide its picture is."""

BEYOND_THE_CELL = """[...document.querySelectorAll(".lgq-charts")].flatMap(charts => {
    const cell = charts.closest(".jp-OutputArea-output");
    const parts = "button, input, select, code, table, .lgq-tau, .lgq-tau *, .widget-hslider, .widget-html, .main-svg";
    const isBeyond = (part, place) => part.getBoundingClientRect().right > place.getBoundingClientRect().right + 1;
    return [
        ...[...cell.querySelectorAll(parts)].filter(part => isBeyond(part, cell) && !part.closest(".lgq-tables")),
        ...[...charts.querySelectorAll(".main-svg")].filter(part => isBeyond(part, part.closest(".js-plotly-plot"))),
    ].map(part => part.outerHTML.slice(0, 80));
})"""

LATE = "[anywidget] Failed to initialize model."
"""What anywidget says of a part that the page took two seconds to load; `test_slow_page.py` shows that it lives."""


class NotebookPage(AnyNotebookPage):
    """A notebook with the package's panels."""

    def button(self, name: str) -> Locator:
        return self.page.locator(".jp-OutputArea button", has_text=name)

    def slider(self, label: str) -> Locator:
        return self.page.locator(".widget-hslider", has_text=label).locator(".noUi-handle")

    def wait_until(self, holds: str) -> None:
        """Wait until an expression is true while no chart is waiting for its turn to be drawn.

        Labels, captions and the line of code are there before the charts that they belong to.
        """
        super().wait_until(f"({holds}) && !document.querySelector('.lgq-drawing')")

    def wait_for_text(self, text: str) -> None:
        """What stands around the charts follows them by a message or two."""
        self.wait_until(f'document.querySelector(".jp-Notebook").innerText.includes({json.dumps(text)})')

    def wait_for_code(self, text: str) -> None:
        """The line of Python of some panel, which its button copies, holds the text."""
        buttons = '[...document.querySelectorAll(".lgq-foot-buttons button")]'
        self.wait_until(f"{buttons}.some(button => button.title.includes({json.dumps(text)}))")

    def wait_for_charts(self, number: int) -> None:
        self.wait_until(f'document.querySelectorAll(".lgq-charts .js-plotly-plot").length === {number}')

    def wait_for_answer(self, holds: str, gesture: Callable[[], None]) -> None:
        """Make a gesture until `holds`, in JavaScript: a chart that is still being laid out takes none."""
        for _ in range(GESTURES):
            gesture()
            try:
                self.page.wait_for_function(holds, timeout=ANSWER)
                return
            except TimeoutError:
                continue
        raise AssertionError(f"no answer to {GESTURES} gestures: {holds}")

    def assert_fits(self) -> None:
        """Nothing of a panel reaches beyond its cell, and no chart beyond its place, once it has settled."""
        try:
            self.page.wait_for_function(f"{BEYOND_THE_CELL}.length === 0", timeout=5 * SECONDS)
        except TimeoutError:
            beyond = self.page.evaluate(BEYOND_THE_CELL)
            assert beyond == [], beyond

    def picture(self, name: str) -> None:
        """A screenshot of a whole panel for people, where LGQ_EXPLORE_SCREENSHOTS names a folder."""
        if folder := os.environ.get("LGQ_EXPLORE_SCREENSHOTS"):
            self.page.set_viewport_size({"width": 1280, "height": 1500})
            self.page.screenshot(path=f"{folder}/{name}")


def chart(number: int) -> str:
    """JavaScript for a chart, counted over all panels."""
    return f'document.querySelectorAll(".lgq-charts .js-plotly-plot")[{number}]'


def choose(notebook: NotebookPage, menu: str, entry: str) -> None:
    """An entry of one of JupyterLab's menus."""
    notebook.page.get_by_role("menuitem", name=menu, exact=True).click()
    notebook.page.get_by_text(entry, exact=True).click()


def shut_down_kernel(notebook: NotebookPage) -> None:
    """Shut the kernel down, and wait until it is gone: a notebook opened before that would find it alive."""
    choose(notebook, "Kernel", "Shut Down Kernel")
    notebook.page.get_by_text("No Kernel").first.wait_for(timeout=PATIENCE)


@contextmanager
def opened_notebook(lab: Lab, page: Page, name: str, cells: Sequence[str]) -> Iterator[NotebookPage]:
    """A notebook of these cells, open in the lab; in the end the browser must have had nothing to complain of."""
    write_notebook(lab.notebooks / name, cells)
    opened = NotebookPage(page)
    opened.open(lab.address_of(name))
    yield opened
    complaints = [error for error in opened.errors if error != LATE]
    assert not complaints, "\n".join(complaints)


def metadata_of(path: Path) -> dict[str, Any]:
    """The metadata of a saved notebook; nothing while the server, which writes in place, is at it."""
    try:
        metadata: dict[str, Any] = json.loads(path.read_bytes())["metadata"]
    except ValueError:
        return {}
    return metadata


def wait_for(holds: Callable[[], object], seconds: float = 120) -> None:
    """Wait until something outside of the page is so."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "what was waited for did not happen"
        time.sleep(0.2)
