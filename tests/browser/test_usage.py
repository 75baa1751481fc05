"""Does the usage explorer answer a reader's gestures in a real JupyterLab with what the analysis says on its own?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page

import lgq_explore as lgq
from lgq_explore import analysis
from lgq_explore.quantizers import VQConfig
from lgq_explore.training.loop import train
from tests.browser.notebook_page import SMALL, NotebookPage, chart, opened_notebook

if TYPE_CHECKING:
    from tests.browser.conftest import Lab

CELLS = (
    "import lgq_explore as lgq",
    'explorer = lgq.widgets.UsageExplorer("lgq", "vq", shown="vq", view="definitions", hits=1, window_tokens=1024)\n'
    "explorer",
)
NOTEBOOK = "usage.ipynb"
CODES = 64
MAP, DEFINITIONS = 0, 1

pytestmark = pytest.mark.browser


@pytest.fixture
def notebook(lab: Lab, page: Page, monkeypatch: pytest.MonkeyPatch) -> Iterator[NotebookPage]:
    """A notebook with the panel, on two small runs in the lab's data folder."""
    monkeypatch.setenv("LGQ_EXPLORE_DATA", str(lab.data))
    train(SMALL, lab.data / "runs" / "lgq")
    train(replace(SMALL, quantizer=VQConfig(codebook_size=CODES), loss_weights={}), lab.data / "runs" / "vq")
    with opened_notebook(lab, page, NOTEBOOK, CELLS) as opened:
        yield opened


def test_a_slider_changes_the_definition_a_click_selects_a_code_and_keys_change_the_run(
    lab: Lab, notebook: NotebookPage
) -> None:
    notebook.run_all()
    notebook.wait_for_charts(2)
    counts = analysis.usage.per_code(lgq.study(lab.data / "runs" / "vq"))["count"]
    assert share_drawn(notebook, "whole<br>set") == pytest.approx(100 * (counts > 0).sum() / CODES)

    notebook.slider("at least m hits").focus()
    for _ in range(3):
        notebook.page.keyboard.press("ArrowRight")
    notebook.wait_until(f"{chart(DEFINITIONS)}._fullData[0].x.includes('at least<br>10 hits')")
    assert share_drawn(notebook, "at least<br>10 hits") == pytest.approx(100 * (counts >= 10).sum() / CODES)

    code = int(counts.argmax())
    assert click_code(notebook, code) == counts[code]
    notebook.wait_until(f"{chart(MAP)}.querySelector('.lgq-marks')?.dataset.count === '1'")
    assert notebook.page.get_by_role("textbox", name="codes").input_value() == str(code)
    notebook.wait_for_code(f"hits=10, batch_images=32, window_tokens=1024, selection=[{code}])")
    notebook.assert_fits()

    # JupyterLab would go to the cell above.
    notebook.page.get_by_role("combobox", name="map of").focus()
    notebook.page.keyboard.press("ArrowUp")
    notebook.wait_until(f"{chart(MAP)}.getAttribute('aria-label').includes('Code usage of lgq')")


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
