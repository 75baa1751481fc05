"""Do screen readers hear a slider's label, and its value instead of an index?"""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from benchmarks.browser.page import Lab
from tests.browser.notebook_page import opened_notebook

CELLS = (
    "import ipywidgets\n"
    "from lgq_explore.widgets.parts.charts.widget import Charts\n"
    "from lgq_explore.widgets.parts.state.inputs import TypedSlider, step_slider",
    "stops = TypedSlider('temperature', [0.1, 0.25, 1.0], '300px')\n"
    "ipywidgets.VBox([stops, step_slider('codes of step')([0, 100, 200]).widget, Charts()]).add_class('lgq-panel')",
)

pytestmark = pytest.mark.browser


def test_sliders_say_their_label_and_their_value(lab: Lab, page: Page) -> None:
    with opened_notebook(lab, page, "sliders.ipynb", CELLS) as notebook:
        notebook.run_all()
        temperature = page.get_by_role("slider", name="temperature")
        step = page.get_by_role("slider", name="codes of step")
        expect(temperature).to_have_attribute("aria-valuetext", "0.1", timeout=60_000)
        expect(step).to_have_attribute("aria-valuetext", "0")
        for slider, said in ((temperature, "0.25"), (step, "100")):
            slider.focus()
            page.keyboard.press("ArrowRight")
            expect(slider).to_have_attribute("aria-valuetext", said)
