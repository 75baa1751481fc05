"""How does a test read and use a notebook that is open in a browser?"""

from __future__ import annotations

import time
from collections.abc import Callable

from playwright.sync_api import ConsoleMessage, Locator, Page

SECONDS = 1000  # milliseconds, as playwright counts
PATIENCE = 240 * SECONDS


class NotebookPage:
    """The notebook as a reader has it in front of them; `errors` gathers what the browser's console says in red."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def open(self, address: str) -> None:
        self.page.goto(address)
        # The notebook's own indicator is idle before there is a kernel, too.
        self.page.get_by_text("(ipykernel) | Idle").wait_for(timeout=PATIENCE)

    def run_all(self) -> None:
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_text("Run All Cells", exact=True).click()

    def wait_for_kernel(self) -> None:
        self.page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(timeout=PATIENCE)

    def wait_until(self, holds: str) -> None:
        """Wait until an expression of JavaScript is true in the page."""
        self.page.wait_for_function(holds, timeout=PATIENCE)

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

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")


def wait_for(holds: Callable[[], object], seconds: float = 120) -> None:
    """Wait until something outside of the page is so."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "what was waited for did not happen"
        time.sleep(0.2)
