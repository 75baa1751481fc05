"""Is a panel whose parts took the page longer to load than anywidget waits as live as any other?"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from benchmarks.browser.page import Lab
from lgq_explore.training.loop import train
from tests.browser.notebook_page import SMALL, NotebookPage, opened_notebook

pytestmark = pytest.mark.browser

NO_PATIENCE = """{
    const timeout = AbortSignal.timeout.bind(AbortSignal);
    globalThis.spared = 0;
    AbortSignal.timeout = (milliseconds) => {
        if (milliseconds !== 2000) return timeout(milliseconds);
        const given = new AbortController();
        setTimeout(() => given.abort());
        spared++;
        return given.signal;
    };
}"""
"""As if every part had taken longer than the two seconds that anywidget waits."""

CELLS = ("import lgq_explore as lgq", 'usage = lgq.widgets.UsageExplorer("lgq")\nusage', "lgq.widgets.RunsTable()")


@pytest.fixture
def notebook(lab: Lab, page: Page, monkeypatch: pytest.MonkeyPatch) -> Iterator[NotebookPage]:
    """A notebook in a page in which every part of a panel is late."""
    monkeypatch.setenv("LGQ_EXPLORE_DATA", str(lab.data))
    train(SMALL, lab.data / "runs" / "lgq")
    page.add_init_script(NO_PATIENCE)
    with opened_notebook(lab, page, "slow.ipynb", CELLS) as opened:
        yield opened


def test_parts_that_were_late_show_what_the_kernel_says_before_and_after(notebook: NotebookPage) -> None:
    notebook.run_all()
    notebook.wait_for_charts(2)
    notebook.wait_for_text("codes used by N =")
    notebook.wait_for_text("0 ticked")
    assert notebook.page.evaluate("spared") >= 5
    notebook.page.locator(".lgq-tabs button", has_text="Lorenz curve").click()
    notebook.wait_for_text("Gini")
    notebook.wait_for_code("UsageExplorer('lgq', view='lorenz'")
    notebook.page.locator(".lgq-runs tbody input").last.click()
    notebook.wait_for_text("1 ticked")
