"""Does notebook 01 do in a real JupyterLab what it invites its reader to do: run, steer, watch, stop, resume?"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from playwright.sync_api import Page

from lgq_explore.runs.run import Run, open_run
from tests.browser.notebook_page import NotebookPage, chart, wait_for

if TYPE_CHECKING:
    from tests.browser.conftest import Lab

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "01_train_lgq.ipynb"

IN_SIGHT = """(() => {
    const slider = document.querySelector(".lgq-tau input[type=range]").getBoundingClientRect();
    return slider.top > 0 && slider.bottom < innerHeight;
})()"""
HEIGHT = 'document.querySelector(".lgq-panel").getBoundingClientRect().height'

pytestmark = pytest.mark.browser


@pytest.fixture
def notebook(lab: Lab, page: Page) -> Iterator[NotebookPage]:
    shutil.copy(NOTEBOOK, lab.notebooks)
    opened = NotebookPage(page)
    opened.open(lab.address_of(NOTEBOOK.name))
    yield opened
    assert not opened.errors, "\n".join(opened.errors)


def test_the_notebook_trains_and_is_steered_stopped_and_resumed(lab: Lab, notebook: NotebookPage) -> None:
    notebook.run_all()
    notebook.wait_for_charts(3)
    notebook.assert_fits()
    run = the_run(lab)
    notebook.page.locator(".jp-Notebook").evaluate("notebook => notebook.scrollTo(0, 0)")
    notebook.page.get_by_role("link", name="the panel that trains").click()
    notebook.wait_until(IN_SIGHT)
    assert notebook.page.evaluate(HEIGHT) <= 700

    notebook.page.get_by_role("slider", name="temperature").focus()
    moved_after = len(run.history())
    for _ in range(6):
        notebook.page.keyboard.press("ArrowRight")
    held = held_temperature(run, moved_after)
    assert notebook.page.get_by_role("checkbox", name="by hand").is_checked()

    before = [drawn(notebook, number) for number in range(3)]
    wait_for(lambda: len(run.history()) >= moved_after + 3)

    def has_grown() -> bool:
        after = [drawn(notebook, number) for number in range(3)]
        assert len(after[0]) == len(before[0]), "the curves are drawn anew instead of growing"
        grown = all(new["points"] > old["points"] for new, old in zip(after[0], before[0], strict=True))
        return grown and [row["source"] for row in after[2]][1:] != [row["source"] for row in before[2]][1:]

    wait_for(has_grown)

    notebook.page.get_by_role("textbox", name="temperature").fill("0.0126")
    notebook.page.keyboard.press("Enter")
    wait_for(lambda: run.history()["temperature"].iloc[-1] == 0.0126)
    notebook.page.get_by_role("textbox", name="temperature").fill("99")
    notebook.page.keyboard.press("Enter")
    notebook.wait_for_text("temperature 99: give a number from 0.01 to 10")

    notebook.page.get_by_role("checkbox", name="by hand").click()
    wait_for(lambda: pd.isna(run.history()["temperature_override"].iloc[-1]))
    assert held > run.history()["temperature"].iloc[-1] != 0.0126

    notebook.button("Stop").first.click()
    notebook.wait_for_kernel()
    stopped_at = run.finished_steps
    assert 0 < stopped_at < run.config.steps
    notebook.wait_for_text("stopped")

    notebook.button("Resume").click()
    wait_for(lambda: run.history()["step"].iloc[-1] > stopped_at)
    notebook.button("Stop").first.click()
    wait_for(lambda: run.finished_steps > stopped_at)
    assert run.history()["step"].is_monotonic_increasing


def drawn(notebook: NotebookPage, number: int) -> list[dict[str, Any]]:
    """What plotly draws in a chart: for each trace its number of points along x, and the source of a picture."""
    traces: list[dict[str, Any]] = notebook.page.evaluate(
        f"{chart(number)}._fullData.map(trace => ({{ points: trace.x?.length ?? 0, source: trace.source || '' }}))"
    )
    return traces


def the_run(lab: Lab) -> Run:
    """The one run that the notebook began, in the folder of this test."""
    (path,) = (lab.data / "runs").glob("lgq-1024-*")
    return open_run(path)


def held_temperature(run: Run, moved_after: int) -> float:
    """What the history says was held by hand once the slider had moved."""
    wait_for(lambda: len(run.history()) > moved_after and run.history()["temperature_override"].iloc[-1] > 0)
    wait_for(lambda: run.history()["temperature_override"].iloc[-2:].nunique() == 1)
    last = run.history().iloc[-1]
    assert last["temperature"] == last["temperature_override"]
    scheduled = run.history()["temperature"].iloc[0]
    assert last["temperature"] > scheduled, "six steps to the right raise the temperature"
    return last["temperature"]
