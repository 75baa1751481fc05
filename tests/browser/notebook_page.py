"""How does a test read and use a notebook that is open in a browser?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from playwright.sync_api import Locator, Page

from lgq_explore.bench.browser_page import PATIENCE, SECONDS, Lab, write_notebook
from lgq_explore.bench.browser_page import NotebookPage as AnyNotebookPage

__all__ = ["PATIENCE", "SECONDS", "NotebookPage", "opened_notebook", "wait_for"]


class NotebookPage(AnyNotebookPage):
    """A notebook with the package's panels."""

    def button(self, name: str) -> Locator:
        return self.page.locator(".jp-OutputArea button", has_text=name)

    def slider(self) -> Locator:
        return self.page.get_by_role("slider", name="temperature")

    def chart(self, number: int) -> list[dict[str, object]]:
        """What plotly draws in a chart: for each trace its number of points along x, and the source of a picture."""
        return self.page.evaluate(
            """number => document.querySelectorAll(".lgq-charts .js-plotly-plot")[number]._fullData.map(trace => ({
                points: trace.x ? trace.x.length : 0, source: trace.source || ""
            }))""",
            number,
        )

    def outputs(self) -> str:
        return self.page.locator(".jp-Notebook").inner_text()


@contextmanager
def opened_notebook(lab: Lab, page: Page, name: str, cells: Sequence[str]) -> Iterator[NotebookPage]:
    """A notebook of these cells, open in the lab; in the end the browser must have had nothing to complain of."""
    write_notebook(lab.notebooks / name, cells)
    opened = NotebookPage(page)
    opened.open(lab.address_of(name))
    yield opened
    assert not opened.errors, "\n".join(opened.errors)


def wait_for(holds: Callable[[], object], seconds: float = 120) -> None:
    """Wait until something outside of the page is so."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "what was waited for did not happen"
        time.sleep(0.2)
