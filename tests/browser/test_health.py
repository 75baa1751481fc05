"""Does the health panel fit its cell, say its states as text, and obey the keyboard in a real JupyterLab?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page

from lgq_explore import analysis
from lgq_explore.plots.health import STATE_LOOKS
from lgq_explore.runs.run import open_run
from lgq_explore.training.loop import train
from tests.analysis.planted_runs import GRID, PLANTED
from tests.browser.notebook_page import NotebookPage, opened_notebook

if TYPE_CHECKING:
    from tests.browser.conftest import Lab

CELLS = (
    "import lgq_explore as lgq",
    'panel = lgq.widgets.HealthPanel("grid", "deaf", shown="fsq")\npanel',
    'panel.summary()["lgq state"]',
)
NOTEBOOK = "health.ipynb"

pytestmark = pytest.mark.browser


@pytest.fixture
def notebook(lab: Lab, page: Page, monkeypatch: pytest.MonkeyPatch) -> Iterator[NotebookPage]:
    """A notebook with the panel, on a healthy run and one whose encoder does not hear the decoder."""
    monkeypatch.setenv("LGQ_EXPLORE_DATA", str(lab.data))
    train(replace(GRID, steps=20), lab.data / "runs" / "grid")
    train(replace(PLANTED["encoder no longer hears the decoder"], steps=20), lab.data / "runs" / "deaf")
    with opened_notebook(lab, page, NOTEBOOK, CELLS) as opened:
        yield opened


def test_a_reader_without_mouse_finds_what_is_wrong_and_takes_the_remedy_along(
    lab: Lab, notebook: NotebookPage
) -> None:
    notebook.run_all()
    notebook.wait_for_charts(1)
    assert told(notebook) == expected(lab, "grid")
    assert not notebook.button("copy command").is_visible()

    notebook.wait_for_kernel()
    notebook.page.get_by_role("button", name="lgq").focus()
    notebook.page.keyboard.press("Space")
    notebook.wait_until('document.querySelector(".lgq-foot-line").textContent.includes("lgq: ")')
    assert told(notebook) == expected(lab, "deaf")
    curves = analysis.health.rule_curves(analysis.health.gather_evidence(open_run(lab.data / "runs" / "deaf")))
    notebook.wait_until(
        'document.querySelector(".lgq-charts .js-plotly-plot")._fullData'
        f".filter(trace => trace.mode === 'lines+markers').length === {curves['rule'].nunique()}"
    )
    copy = notebook.button("copy command")
    copy.focus()
    notebook.page.keyboard.press("Enter")
    notebook.wait_until(
        '[...document.querySelectorAll(".lgq-foot-notice")].some(part => /copied|selected/.test(part.innerText))'
    )
    notebook.page.locator(".lgq-foot-line").press("Enter")  # unfolds the command, too
    notebook.wait_for_text("--set quantizer.temperature.unit=effective_codes")
    notebook.assert_fits()
    notebook.picture("health.png")


def told(notebook: NotebookPage) -> list[tuple[str, str]]:
    """State and rule of each row as a screen reader says them, the symbol left out."""
    return [
        tuple(row)
        for row in notebook.page.evaluate(
            """() => [...document.querySelectorAll(".lgq-health details")].map(row => [
                row.querySelector(".lgq-state span").innerText, row.querySelector(".lgq-rule").innerText,
            ])"""
        )
    ]


def expected(lab: Lab, run: str) -> list[tuple[str, str]]:
    verdicts = analysis.health.assess(open_run(lab.data / "runs" / run))
    assert set(verdicts["state"]) <= set(STATE_LOOKS)
    return [(row.state, f"{row.rule}?") for row in verdicts.itertuples()]
