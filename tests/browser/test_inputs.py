"""Can a reader mend what was typed in vain, in a real JupyterLab, with everything staying in its place?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page

from lgq_explore.runs.run import Run
from tests.browser.notebook_page import NotebookPage, opened_notebook

if TYPE_CHECKING:
    from tests.browser.conftest import Lab

CELLS = (
    "import lgq_explore as lgq\nfrom lgq_explore.training.controls import Controls",
    "controls = Controls()\nlgq.widgets.TemperatureControl(controls, in_force=0.1)",
    'lgq.widgets.UsageExplorer("lgq", selection=range(0, 64, 2))',
)
PLACES = """[...document.querySelectorAll(".lgq-row :is(input, select, button)")].map(part => {
    const panel = part.closest(".lgq-panel").getBoundingClientRect(), { x, y, width } = part.getBoundingClientRect();
    return [x - panel.x, y - panel.y, width];
})"""
"""Where the inputs stand in their panel, and how wide they are."""
SAID = 'document.querySelector(".lgq-panel").innerText'

pytestmark = pytest.mark.browser


@pytest.fixture
def notebook(lab: Lab, run: Run, page: Page) -> Iterator[NotebookPage]:
    with opened_notebook(lab, page, "inputs.ipynb", CELLS) as opened:
        opened.run_all()
        opened.wait_for_charts(2)
        yield opened


def places(notebook: NotebookPage) -> Any:
    return notebook.page.evaluate(PLACES)


def test_a_long_text_can_be_edited_and_a_refusal_moves_no_input(notebook: NotebookPage) -> None:
    codes = notebook.page.locator(".lgq-panel .widget-text", has_text="codes").locator("input")
    every_other = ", ".join(map(str, range(0, 64, 2)))
    assert codes.input_value() == every_other
    before = places(notebook)

    codes.press("End")
    codes.press_sequentially(", cat")
    codes.press("Enter")
    notebook.wait_until(f"{SAID}.includes(\"'cat' chooses no codes: give numbers or rules\")")
    notebook.wait_for_text("32 codes")
    assert codes.input_value() == f"{every_other}, cat"
    assert places(notebook) == before

    codes.press("End")
    for _ in "cat":
        codes.press("Backspace")
    codes.press_sequentially("63")
    codes.press("Enter")
    notebook.wait_for_code('selection=lgq.codes("0, 2, 4, 6')
    notebook.wait_for_text("33 codes")
    notebook.wait_until(f"!{SAID}.includes('chooses no codes')")
    assert places(notebook) == before


def test_what_is_said_of_a_temperature_goes_with_the_next_one(notebook: NotebookPage) -> None:
    box, notice = notebook.page.locator(".lgq-tau-value"), 'document.querySelector(".lgq-tau-notice").textContent'
    for mended in ("0.1", "0.5"):  # what is in force already, and another one
        box.fill("99")
        box.press("Enter")
        notebook.wait_until(f"{notice} === 'temperature 99: give a number from 0.01 to 10'")
        box.fill(mended)
        box.press("Enter")
        notebook.wait_until(f"{notice} === ''")
        assert box.input_value() == mended
