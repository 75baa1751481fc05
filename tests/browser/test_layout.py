"""Do all panels fit a screen, with nothing overlapping, at every size, zoom and theme?"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page

from benchmarks.browser.page import Lab
from lgq_explore.quantizers import FSQConfig
from lgq_explore.training.loop import train
from tests.browser.notebook_page import SMALL, NotebookPage, opened_notebook, wait_for

pytestmark = pytest.mark.browser

BOXES = (Path(__file__).parent / "boxes.js").read_text(encoding="utf-8")
TALLEST = 700
SETTLE_SECONDS = 15
SIZES = {"laptop": (1280, 900), "wider": (1440, 900), "narrow": (853, 900), "zoomed": (640, 450)}
"""Of the window in CSS pixels. `zoomed` is a laptop's at 200 %."""

PANELS = {
    "usage": 'lgq.widgets.UsageExplorer("lgq", "fsq")',
    "usage-definitions": 'lgq.widgets.UsageExplorer("lgq", "fsq", view="definitions")',
    "temperature": 'lgq.widgets.TemperatureExplorer("lgq")',
    "geometry": 'lgq.widgets.GeometryExplorer("lgq", beside="fsq", selection=[3, 17])',
    "geometry-alone": 'lgq.widgets.GeometryExplorer("lgq")',
    "codes": 'lgq.widgets.CodeInspector("lgq", selection=[3, 17, 40, 41, 42], turned_off=[5])',
    "patch": 'lgq.widgets.PatchInspector("lgq", patch=[2, 3, 3])',
    "health": 'lgq.widgets.HealthPanel("lgq", "fsq")',
    "comparison": 'lgq.widgets.ComparisonExplorer("lgq", "fsq")',
    "comparison-numbers": 'lgq.widgets.ComparisonExplorer("lgq", "fsq", view="numbers")',
    "comparison-pictures": 'lgq.widgets.ComparisonExplorer("lgq", "fsq", view="pictures")',
    "runs": "lgq.widgets.RunsTable()",
    "health-gan": 'lgq.widgets.HealthPanel("gan")',
    "monitor": 'lgq.widgets.TrainingMonitor(run="lgq")',
    "monitor-gan": 'lgq.widgets.TrainingMonitor(run="gan")',
    "monitor-objectives": 'lgq.widgets.TrainingMonitor(run="gan", view="objectives")',
    "toy": "lgq.widgets.ToyLab(codes=4, steps=40).train()",
}


@pytest.fixture
def notebook(lab: Lab, page: Page, monkeypatch: pytest.MonkeyPatch) -> Iterator[NotebookPage]:
    """A notebook with every panel, on three small runs."""
    monkeypatch.setenv("LGQ_EXPLORE_DATA", str(lab.data))
    grid = replace(SMALL, quantizer=FSQConfig(levels=(4, 4)), loss_weights={})
    penalties = {"lecam_weight": 0.001, "r1_weight": 1.0}
    adversarial = replace(
        SMALL,
        steps=40,
        loss_weights={**SMALL.loss_weights, "gan": 0.1},
        objectives={"gan": {"start_step": 12, "ramp_steps": 10, "layers": 2, "width": 4, **penalties}},
    )
    for recipe, name in ((SMALL, "lgq"), (grid, "fsq"), (adversarial, "gan")):
        train(recipe, lab.data / "runs" / name)
    with opened_notebook(lab, page, "panels.ipynb", ["import lgq_explore as lgq", *PANELS.values()]) as opened:
        opened.run_all()
        yield opened


def test_every_panel_fits_every_window(notebook: NotebookPage) -> None:
    wait_for(lambda: len(feet_of(notebook)) == len(PANELS) and all(len(line) > len("▸ ") for line in feet_of(notebook)))
    found: dict[str, list[str]] = {}
    for theme in ("light", "dark"):
        if theme == "dark":
            choose_dark_theme(notebook)
        for size, (width, height) in SIZES.items():
            notebook.page.set_viewport_size({"width": width, "height": height})
            for place, name in enumerate(PANELS):
                panel = notebook.page.locator(".lgq-panel").nth(place)
                if wrong := problems(panel, tallest=TALLEST if width > 1000 else math.inf):
                    found[f"{name}, {theme}, {size}"] = wrong
                keep_picture(panel, f"{name}-{theme}-{size}")
    assert not found, "\n".join(f"{where}: {each}" for where, wrong in found.items() for each in wrong)


def feet_of(notebook: NotebookPage) -> list[str]:
    return notebook.page.locator(".lgq-panel .lgq-foot-line").all_text_contents()  # also of cells out of sight


def problems(panel: Locator, tallest: float) -> list[str]:
    """What is wrong with a panel's layout once it has settled."""
    panel.evaluate("panel => panel.closest('.jp-OutputArea-output').scrollIntoView()")
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        wrong = panel.evaluate(BOXES)
        height = panel.bounding_box()["height"]
        if height > tallest:
            wrong.append(f"the panel is {height:.0f} pixels tall")
        if not wrong or time.monotonic() > deadline:
            return wrong
        time.sleep(0.2)


def choose_dark_theme(notebook: NotebookPage) -> None:
    notebook.page.get_by_text("Settings", exact=True).first.click()
    notebook.page.get_by_text("Theme", exact=True).first.hover()
    notebook.page.get_by_text("JupyterLab Dark", exact=True).first.click()
    notebook.wait_until('document.body.dataset.jpThemeLight === "false"')


def keep_picture(panel: Locator, name: str) -> None:
    """A screenshot for people, where LGQ_EXPLORE_SCREENSHOTS names a folder."""
    if folder := os.environ.get("LGQ_EXPLORE_SCREENSHOTS"):
        panel.page.screenshot(path=str(Path(folder) / f"{name}.png"))
