"""Does a notebook that is saved and opened again without its kernel show each panel's picture, and how to go on?"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page

from benchmarks.browser.page import PATIENCE
from lgq_explore import widgets
from lgq_explore.training.loop import train
from lgq_explore.widgets.panel import Panel
from lgq_explore.widgets.parts.frame.presence import HOW_TO_MAKE_IT_LIVE
from tests.browser.notebook_page import (
    HARD,
    OUTPUTS,
    SECONDS,
    SMALL,
    NotebookPage,
    metadata_of,
    opened_notebook,
    shut_down_kernel,
    wait_for,
)

if TYPE_CHECKING:
    from tests.browser.conftest import Lab

NOTEBOOK = "panels.ipynb"
FIRST = """
from dataclasses import replace
import lgq_explore as lgq
run, rival = lgq.open_run({path!r}), lgq.open_run({rival!r})
again = replace(run.config, seed=1)
"""
PANELS = {
    "CodeInspector": "lgq.widgets.CodeInspector(run, selection=[1, 2])",
    "ComparisonExplorer": "lgq.widgets.ComparisonExplorer(run, rival, crops=24)",
    "GeometryExplorer": "lgq.widgets.GeometryExplorer(run, selection=[1, 2])",
    "HealthPanel": "lgq.widgets.HealthPanel(run)",
    "PatchInspector": "lgq.widgets.PatchInspector(run)",
    "RunsTable": "lgq.widgets.RunsTable()",
    "TemperatureExplorer": "lgq.widgets.TemperatureExplorer(run)",
    "ToyLab": "lgq.widgets.ToyLab('square', codes=4, steps=20).train()",
    "TrainingMonitor": "monitor = lgq.widgets.TrainingMonitor(again)\ndisplay(monitor)\nrun = await monitor.train()",
    "UsageExplorer": "lgq.widgets.UsageExplorer(run)",
}
"""A cell for each panel."""

ARE_LIVE = f"""(areas => areas.length === {len(PANELS)} && areas.every(([picture, view]) =>
    !picture.isVisible && view?.isLive && view.isVisible))({OUTPUTS})"""
ARE_PICTURES = f"""(areas => areas.length === {len(PANELS)} && areas.every(([picture, view]) =>
    picture.isVisible && picture.width > 100 && view?.text.includes({json.dumps(HOW_TO_MAKE_IT_LIVE)})))({OUTPUTS})"""
SAY_THAT_IT_IS_GONE = """[...document.querySelectorAll(".lgq-panel")].filter(panel =>
    getComputedStyle(panel, "::before").content.includes("The kernel is gone")).length"""
SOURCES = "[...document.querySelectorAll('.jp-OutputArea-child img')].map(picture => picture.src)"

pytestmark = pytest.mark.browser


def test_the_cells_show_every_panel() -> None:
    panels = [name for name in widgets.__all__ if isinstance(getattr(widgets, name), type)]
    assert set(PANELS) == {name for name in panels if issubclass(getattr(widgets, name), Panel)}


def test_what_is_saved_shows_pictures_and_what_lives_is_live(
    lab: Lab, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LGQ_EXPLORE_DATA", str(lab.data))
    path, rival = (str(train(recipe, lab.data / "runs" / recipe.quantizer.method).path) for recipe in (SMALL, HARD))
    with opened_notebook(lab, page, NOTEBOOK, [FIRST.format(path=path, rival=rival), *PANELS.values()]) as notebook:
        page.set_viewport_size({"width": 1280, "height": 9000})  # JupyterLab draws what is in sight
        notebook.run_all()
        notebook.wait_until(ARE_LIVE)
        notebook.wait_for_kernel()

        move_and_wait_for_the_picture(notebook)
        save(notebook, lab)

        notebook.open(lab.address_of(NOTEBOOK))  # its kernel still runs
        notebook.wait_until(ARE_LIVE)
        move_and_wait_for_the_picture(notebook)

        shut_down_kernel(notebook)
        notebook.wait_until(f"{SAY_THAT_IT_IS_GONE} === {len(PANELS)}")
        assert notebook.button("Start").evaluate("button => getComputedStyle(button).pointerEvents") == "none"

        notebook.open(lab.address_of(NOTEBOOK))
        notebook.wait_until(ARE_PICTURES)
        assert "Error displaying widget" not in page.locator(".jp-Notebook").inner_text()
        notebook.picture("saved_notebook.png")

        saved = json.loads((lab.notebooks / NOTEBOOK).read_text())
        saved["metadata"]["changed"] = "so JupyterLab does not trust it"
        (lab.notebooks / "untrusted.ipynb").write_text(json.dumps(saved))
        notebook.open(lab.address_of("untrusted.ipynb"))
        notebook.wait_until(ARE_PICTURES)


IN_BOXES = [
    """
import ipywidgets
import lgq_explore as lgq
run = lgq.open_run({path!r})
panels = [lgq.widgets.CodeInspector(run, selection=[1]), lgq.widgets.PatchInspector(run)]
ipywidgets.VBox([ipywidgets.HTML("mine"), *panels])
""",
    "ipywidgets.Tab([lgq.widgets.HealthPanel(run), ipywidgets.HBox([lgq.widgets.UsageExplorer(run)])])",
]
KEPT_IN_BOXES = """[...document.querySelectorAll(".jp-OutputArea .lgq-saved")].map(box => [...box.children].map(
    part => [part.innerText.split("(")[0], part.querySelector("img").naturalWidth > 100]).sort())"""


def test_a_box_and_tabs_of_panels_show_their_pictures_when_they_are_opened_again(
    lab: Lab, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LGQ_EXPLORE_DATA", str(lab.data))
    path = str(train(SMALL, lab.data / "runs" / "lgq").path)
    first, second = IN_BOXES
    with opened_notebook(lab, page, NOTEBOOK, [first.format(path=path), second]) as notebook:
        page.set_viewport_size({"width": 1280, "height": 3000})
        notebook.run_all()
        expected = [["CodeInspector", "PatchInspector"], ["HealthPanel", "UsageExplorer"]]
        wait_until_kept(notebook, lab, expected)
        shut_down_kernel(notebook)
        notebook.open(lab.address_of(NOTEBOOK))
        shown = json.dumps([[[name, True] for name in names] for names in expected], separators=(",", ":"))
        notebook.wait_until(f"JSON.stringify({KEPT_IN_BOXES}) === {json.dumps(shown)}")
        assert "Error displaying widget" not in page.locator(".jp-Notebook").inner_text()
        notebook.picture("saved_boxes.png")


def wait_until_kept(notebook: NotebookPage, lab: Lab, expected: list[list[str]]) -> None:
    """Save again and again until the panels whose pictures are kept for each box are those: a picture may come late."""

    def is_kept() -> bool:
        notebook.page.keyboard.press("Control+s")
        notebook.page.wait_for_timeout(SECONDS)
        return kept_of_boxes(lab) == expected

    wait_for(is_kept, PATIENCE / SECONDS)


def kept_of_boxes(lab: Lab) -> list[list[str]]:
    """The panels whose pictures the file keeps, for each box."""
    widgets = metadata_of(lab.notebooks / NOTEBOOK).get("widgets", {})
    states = widgets.get("application/vnd.jupyter.widget-state+json", {}).get("state", {})
    values = [entry["state"]["value"] for entry in states.values()]
    return sorted(sorted(re.findall(r'data-panel="[^"]*">(\w+)\([^<]*<br><img', value)) for value in values)


def move_and_wait_for_the_picture(notebook: NotebookPage) -> None:
    before = notebook.page.evaluate(SOURCES)
    notebook.slider("temperature").first.focus()
    notebook.page.keyboard.press("ArrowRight")
    notebook.wait_until(f"{SOURCES}.some(source => !{json.dumps(before)}.includes(source))")


def save(notebook: NotebookPage, lab: Lab) -> None:
    path = lab.notebooks / NOTEBOOK
    before = path.stat().st_mtime_ns
    notebook.page.keyboard.press("Control+s")
    wait_for(lambda: path.stat().st_mtime_ns > before and metadata_of(path))
    assert len(metadata_of(path)["widgets"]) == 1
