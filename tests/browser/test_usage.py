"""Does the usage explorer answer a reader's gestures in a real JupyterLab with what the analysis says on its own?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page

from lgq_explore import analysis
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import LGQConfig, VQConfig
from lgq_explore.training.config import TrainConfig
from lgq_explore.training.encode import encode
from lgq_explore.training.loop import train
from tests.browser.notebook_page import NotebookPage, opened_notebook

if TYPE_CHECKING:
    from tests.browser.conftest import Lab

CELLS = (
    "import lgq_explore as lgq",
    'explorer = lgq.widgets.UsageExplorer("lgq", "vq", shown="vq", hits=1, window_tokens=1024)\nexplorer',
)
NOTEBOOK = "usage.ipynb"
CODES = 64
MAP, DEFINITIONS = 0, 4

pytestmark = pytest.mark.browser


@pytest.fixture
def notebook(lab: Lab, page: Page, monkeypatch: pytest.MonkeyPatch) -> Iterator[NotebookPage]:
    """A notebook with the panel, on two small runs in the lab's data folder."""
    monkeypatch.setenv("LGQ_EXPLORE_DATA", str(lab.data))
    recipe = TrainConfig(
        data="fake",
        batch_size=4,
        steps=6,
        log_steps=1,
        backbone=BackboneConfig(channels=(8, 8, 8), dim=4),
        quantizer=LGQConfig(codebook_size=CODES),
    )
    train(recipe, lab.data / "runs" / "lgq")
    train(replace(recipe, quantizer=VQConfig(codebook_size=CODES), loss_weights={}), lab.data / "runs" / "vq")
    with opened_notebook(lab, page, NOTEBOOK, CELLS) as opened:
        yield opened


def test_a_slider_changes_the_definition_a_click_selects_a_code_and_keys_change_the_run(
    lab: Lab, notebook: NotebookPage
) -> None:
    notebook.run_all()
    notebook.wait_until('document.querySelectorAll(".lgq-charts .js-plotly-plot").length === 5')
    counts = analysis.code_usage(encode(lab.data / "runs" / "vq"))["count"]
    assert share_drawn(notebook, "whole<br>set") == pytest.approx(100 * (counts > 0).sum() / CODES)

    hits_slider = notebook.page.locator(".widget-hslider", has_text="at least m hits").locator(".noUi-handle")
    hits_slider.focus()
    for _ in range(3):
        notebook.page.keyboard.press("ArrowRight")
    notebook.wait_until(f"{chart(DEFINITIONS)}._fullData[0].x.includes('at least<br>10 hits')")
    assert share_drawn(notebook, "at least<br>10 hits") == pytest.approx(100 * (counts >= 10).sum() / CODES)

    code = int(counts.argmax())
    assert click_code(notebook, code) == counts[code]
    notebook.wait_until(f"{chart(MAP)}._fullData[1].x.length === 1")
    assert notebook.page.get_by_role("textbox", name="codes").input_value() == str(code)
    assert f"hits=10, batch_images=32, window_tokens=1024, selection=[{code}])" in notebook.outputs()
    assert_fits(notebook)

    # JupyterLab would go to the cell above.
    notebook.page.get_by_role("combobox", name="map of").focus()
    notebook.page.keyboard.press("ArrowUp")
    notebook.wait_until(f"{chart(MAP)}._fullLayout.title.text.includes('Code usage of lgq')")


def chart(number: int) -> str:
    return f'document.querySelectorAll(".lgq-charts .js-plotly-plot")[{number}]'


def share_drawn(notebook: NotebookPage, definition: str) -> float:
    """The height at which the run vq is drawn over a definition, in per cent of K."""
    return notebook.page.evaluate(
        f"""definition => {{
            const vq = {chart(DEFINITIONS)}._fullData.find(trace => trace.name === "vq");
            return vq.y[vq.x.indexOf(definition)];
        }}""",
        definition,
    )


def click_code(notebook: NotebookPage, code: int) -> int:
    """Click a code's cell in the map; the tokens that the cell stands for."""
    notebook.page.locator(".lgq-charts .js-plotly-plot").nth(MAP).scroll_into_view_if_needed()
    cell = notebook.page.evaluate(
        f"""code => {{
            const {{ _fullData: [map], _fullLayout: {{ xaxis, yaxis }}, ...rest }} = {chart(MAP)};
            const box = {chart(MAP)}.getBoundingClientRect();
            const column = code % map.x.length, row = (code - column) / map.x.length;
            return {{
                x: box.left + xaxis._offset + xaxis.d2p(map.x[column]),
                y: box.top + yaxis._offset + yaxis.d2p(map.y[row]),
                tokens: map.text[row][column],
            }};
        }}""",
        code,
    )
    notebook.page.mouse.click(cell["x"], cell["y"])
    return cell["tokens"]


def assert_fits(notebook: NotebookPage) -> None:
    """Nothing of the panel reaches beyond the cell it is shown in, and no chart beyond its own place."""
    overflow = notebook.page.evaluate(
        """() => {
            const cell = document.querySelector(".lgq-charts").closest(".jp-OutputArea-output");
            const right = cell.getBoundingClientRect().right + 1;
            return [...cell.querySelectorAll("button, input, .main-svg, table, .widget-hslider")]
                .filter(part => part.getBoundingClientRect().right > right).map(part => part.outerHTML.slice(0, 80));
        }"""
    )
    assert overflow == []
    cut_off = notebook.page.evaluate(
        """() => [...document.querySelectorAll(".lgq-charts .js-plotly-plot")]
            .filter(place => place.querySelector(".main-svg").getBoundingClientRect().width > place.clientWidth + 1)
            .map(place => place.layout.title.text)"""
    )
    assert cut_off == []
