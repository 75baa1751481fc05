"""Does the table of runs sort by a click, tick by mouse and keyboard, and open a panel of what is ticked?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Locator, Page

from tests.analysis.runs_folder import plant_runs
from tests.browser.notebook_page import NotebookPage, opened_notebook

if TYPE_CHECKING:
    from tests.browser.conftest import Lab

CELLS = (
    "import lgq_explore as lgq",
    "table = lgq.widgets.RunsTable(grouped=False)\ntable",
)
LINES = '[...document.querySelectorAll(".lgq-runs tbody th")].map(cell => cell.textContent).join()'
SORTED = '[...document.querySelectorAll(".lgq-runs thead th[aria-sort]")].map(cell => cell.ariaSort).join()'
TALLEST = 420
WHEEL = 'getComputedStyle(document.querySelector(".lgq-runs-scroll")).overscrollBehaviorY'
CUT_NAMES = (
    '[...document.querySelectorAll(".lgq-runs-start")].filter(part => part.scrollWidth > part.clientWidth).length'
)
LONG = "lgq-65536-9c7557e60381-seed0"

pytestmark = pytest.mark.browser


@pytest.fixture
def notebook(lab: Lab, page: Page, monkeypatch: pytest.MonkeyPatch) -> Iterator[NotebookPage]:
    """A notebook with the table of four small runs and one that can't be opened."""
    monkeypatch.setenv("LGQ_EXPLORE_DATA", str(lab.data))
    plant_runs(lab.data / "runs")
    (lab.data / "runs" / "torn").mkdir()
    (lab.data / "runs" / "torn" / "config.json").write_text("{")
    with opened_notebook(lab, page, "runs.ipynb", CELLS) as opened:
        yield opened


def box(notebook: NotebookPage, name: str) -> Locator:
    return notebook.page.get_by_role("checkbox", name=name, exact=True)


def head(notebook: NotebookPage, name: str) -> Locator:
    return notebook.page.locator(".lgq-runs").get_by_role("button", name=name)


def test_a_head_sorts_two_runs_are_ticked_and_opened(notebook: NotebookPage, lab: Lab) -> None:
    notebook.run_all()
    notebook.wait_until(f'{LINES} === "grid-0,soft-0,soft-1,soft-2,torn"')
    notebook.wait_for_kernel()
    assert box(notebook, "torn").is_disabled()
    notebook.wait_for_text("config.json can't be used")
    assert notebook.page.locator(".lgq-panel").bounding_box()["height"] <= TALLEST

    head(notebook, "PSNR").click()
    notebook.wait_until(f'{LINES} === "soft-0,soft-1,grid-0,soft-2,torn" && {SORTED} === "ascending"')
    notebook.page.keyboard.press("Enter")  # the head still has the focus
    notebook.wait_until(f'{LINES} === "grid-0,soft-1,soft-0,soft-2,torn" && {SORTED} === "descending"')

    assert notebook.page.evaluate(WHEEL) == "auto"  # the notebook scrolls where the table does not
    (lab.data / "runs" / "grid-0").rename(lab.data / "runs" / LONG)
    notebook.button("look again").click()
    notebook.wait_until(f'{LINES} === "{LONG},soft-1,soft-0,soft-2,torn"')
    assert notebook.page.evaluate(CUT_NAMES) == 0
    (lab.data / "runs" / LONG).rename(lab.data / "runs" / "grid-0")
    notebook.button("look again").click()
    notebook.wait_until(f'{LINES} === "grid-0,soft-1,soft-0,soft-2,torn"')

    box(notebook, "soft-1").click()
    box(notebook, "grid-0").focus()
    notebook.page.keyboard.press("Space")
    notebook.wait_for_text("2 ticked")
    assert box(notebook, "soft-1").is_checked()
    assert box(notebook, "grid-0").is_checked()
    assert not box(notebook, "soft-0").is_checked()
    notebook.wait_for_code("selection=['soft-1', 'grid-0'])")

    notebook.button("usage").click()
    notebook.wait_for_charts(2)
    notebook.wait_for_text("usage of soft-1, grid-0")
    names = notebook.page.get_by_role("combobox", name="map of").locator("option").all_text_contents()
    assert names == ["lgq", "fsq"]
    notebook.assert_fits()

    notebook.page.get_by_role("textbox", name="filter").fill("method=fsq")
    notebook.page.keyboard.press("Enter")
    notebook.wait_until(f'{LINES} === "grid-0"')
    notebook.wait_for_text("1 of 5 runs shown, 2 ticked, 1 of them not shown")
    notebook.picture("runs_table.png")
    notebook.page.get_by_role("textbox", name="filter").fill("psnr>99")
    notebook.page.keyboard.press("Enter")
    notebook.wait_for_text("no run matches psnr>99")
    assert head(notebook, "PSNR").is_visible()
