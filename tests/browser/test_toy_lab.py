"""Does the toy lab, in a real JupyterLab, move the responsibilities with its temperature, and train when asked to?"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page

from lgq_explore import analysis
from lgq_explore.analysis.toys import ToySetting, ToyView
from lgq_explore.analysis.toys.references import TEMPERATURES
from lgq_explore.plots.toys.plane import field_picture
from lgq_explore.widgets.parts.state.inputs import three_digits
from tests.browser.notebook_page import NotebookPage, chart, opened_notebook

if TYPE_CHECKING:
    from tests.browser.conftest import Lab

OFFERED = three_digits(TEMPERATURES)
CELLS = ("import lgq_explore as lgq", "lab = lgq.widgets.ToyLab(codes=8, temperature=0.1, steps=300)\nlab")
NOTEBOOK = "toy_lab.ipynb"
PLANES, BIFURCATION, DISTANCE = range(3)
HARD, SOFT, EQUILIBRIUM = range(3)
STEPS = 20
"""Keys pressed to the right: a decade up from 0.1."""

pytestmark = pytest.mark.browser


@dataclass(frozen=True)
class Shown:
    """What the page shows: the present temperature, the field of each plane, and where each plane draws its codes."""

    temperature: float
    fields: list[str]
    codes: list[list[list[float]]]

    def pixels(self, plane: int) -> np.ndarray:
        encoded = self.fields[plane].partition(",")[2]
        return np.asarray(Image.open(BytesIO(base64.b64decode(encoded))).convert("RGB")).astype(int)

    def places(self, plane: int) -> np.ndarray:
        return np.array(self.codes[plane]).T


@pytest.fixture
def notebook(lab: Lab, page: Page) -> Iterator[NotebookPage]:
    """A notebook with the panel."""
    with opened_notebook(lab, page, NOTEBOOK, CELLS) as opened:
        yield opened


def test_the_temperature_moves_the_responsibilities_and_above_the_critical_one_all_centres_coincide(
    notebook: NotebookPage,
) -> None:
    notebook.run_all()
    notebook.wait_for_charts(3)
    fit = analysis.toys.fit_toy(ToySetting(codes=8, steps=300))
    notebook.button("Train").click()
    notebook.wait_for_text("trained, step 300 of 300")
    notebook.wait_until(f"Array.from({chart(DISTANCE)}._fullData[0]?.x ?? []).at(-1) === 300")
    view = ToyView(fit.setting, fit.quantizer)
    before = shown(notebook)
    assert_is(before, view, 0.1)
    notebook.wait_for_text(f"{fit.curve['ratio'].iloc[-1]:.2f} × the least")
    notebook.picture("toy_lab_trained.png")

    notebook.slider("temperature").focus()
    for _ in range(STEPS):
        notebook.page.keyboard.press("ArrowRight")
    moved = OFFERED[OFFERED.index(0.1) + STEPS]
    wait_for_temperature(notebook, moved)
    after = shown(notebook)
    assert_is(after, view, moved)
    assert marked(notebook) == f"τ = {moved:.3g}"
    assert after.fields[HARD] == before.fields[HARD]
    assert np.abs(after.pixels(SOFT) - before.pixels(SOFT)).max() > 30
    notebook.picture("toy_lab_warm.png")

    notebook.page.keyboard.press("End")
    wait_for_temperature(notebook, OFFERED[-1])
    hottest = shown(notebook)
    assert OFFERED[-1] > view.path.critical_temperature
    assert np.ptp(hottest.places(EQUILIBRIUM), axis=0).max() < 0.01
    assert np.ptp(hottest.places(SOFT), axis=0).min() > 1
    assert "1 of 8 distinct" in notebook.page.locator(".lgq-charts").inner_text()
    assert_is(hottest, view, OFFERED[-1])
    assert marked(notebook) is None  # annealing began at less: the line is out of sight
    notebook.picture("toy_lab_hot.png")

    notebook.page.get_by_role("combobox", name="method").select_option("fsq")
    notebook.wait_for_text("fsq has no temperature")
    notebook.button("Train").click()
    notebook.wait_for_text("trained, step 300 of 300")
    grid = analysis.toys.fit_toy(ToySetting(method="fsq", codes=8, steps=300))
    notebook.wait_until(f"Array.from({chart(DISTANCE)}._fullData[0]?.x ?? []).at(-1) === 300")
    wait_for_temperature(notebook, OFFERED[-1])  # the codebook of nine is annealed in the background
    cells = ToyView(grid.setting, grid.quantizer).hard.cells
    assert shown(notebook).pixels(HARD) == pytest.approx(field_picture(cells, 9).astype(int))
    notebook.picture("toy_lab_fsq.png")
    notebook.assert_fits()


def assert_is(shown: Shown, view: ToyView, temperature: float) -> None:
    """What the page shows is what the analysis says at the temperature."""
    soft, equilibrium = view.soft(temperature), view.equilibrium(temperature)
    assert shown.temperature == pytest.approx(temperature)
    assert shown.pixels(HARD) == pytest.approx(field_picture(view.hard.cells, 8).astype(int))
    assert shown.pixels(SOFT) == pytest.approx(field_picture(soft.shared, 8).astype(int), abs=1)
    assert shown.pixels(EQUILIBRIUM) == pytest.approx(field_picture(equilibrium.shared, 8).astype(int), abs=1)
    assert shown.places(SOFT) == pytest.approx(soft.codes[["x", "y"]].to_numpy(), abs=1e-5)
    assert shown.places(EQUILIBRIUM) == pytest.approx(equilibrium.codes[["x", "y"]].to_numpy(), abs=1e-5)


def wait_for_temperature(notebook: NotebookPage, temperature: float) -> None:
    notebook.wait_until(f"{present()} === {temperature!r}")


def present() -> str:
    """JavaScript for the temperature that the planes are drawn at, which has three digits."""
    return f"Number({chart(PLANES)}._fullLayout.annotations[{SOFT}].text.match(/τ = ([-.e0-9]+)</)?.[1])"


def marked(notebook: NotebookPage) -> str | None:
    """What stands at the present temperature's line."""
    return notebook.page.evaluate(f"{chart(BIFURCATION)}.querySelector('.lgq-marks text')?.textContent")


def shown(notebook: NotebookPage) -> Shown:
    """Read from the page what plotly draws."""
    values = notebook.page.evaluate(
        f"""() => ({{
            temperature: {present()},
            fields: {chart(PLANES)}._fullLayout.images.filter(image => image.name === "field")
                .map(image => image.source),
            codes: {chart(PLANES)}._fullData.filter(trace => trace.name === "codes")
                .map(trace => [Array.from(trace.x), Array.from(trace.y)]),
        }})"""
    )
    return Shown(**values)
