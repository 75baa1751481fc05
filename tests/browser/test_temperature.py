"""Does the temperature panel answer a reader's gestures in a real JupyterLab with what the analysis says on its own?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
from playwright.sync_api import Page

from lgq_explore import analysis, plots
from lgq_explore.runs.run import Run
from lgq_explore.runs.study import study
from lgq_explore.widgets.parts.state.inputs import three_digits
from tests.browser.notebook_page import NotebookPage, chart, opened_notebook

if TYPE_CHECKING:
    from tests.browser.conftest import Lab

CELLS = ("import lgq_explore as lgq", 'panel = lgq.widgets.TemperatureExplorer("lgq", temperature=0.1)\npanel')
NOTEBOOK = "temperature.ipynb"
STEPS = 15
"""Keys pressed to the right: a decade and a half up from 0.1."""
SWEEP, VIEW, MAP = range(3)
"""The places of the charts; what the second shows is chosen by a tab."""

PRESENT = f"""(chart => {{
    const {{ xaxis }} = chart._fullLayout;
    const line = chart.querySelector(".lgq-marks path").getAttribute("d");
    return xaxis.p2d(parseFloat(line.slice(1)) - xaxis._offset);
}})({chart(SWEEP)})"""
"""JavaScript for the temperature where the line of the present one lies."""

pytestmark = pytest.mark.browser


@dataclass(frozen=True)
class Shown:
    """What the page shows at one moment: the present temperature's line, the bars of p*, and each row of pictures."""

    temperature: float
    shares: list[float]
    pictures: dict[str, str]


@pytest.fixture
def notebook(lab: Lab, run: Run, page: Page) -> Iterator[NotebookPage]:
    """A notebook with the panel."""
    with opened_notebook(lab, page, NOTEBOOK, CELLS) as opened:
        yield opened


def test_the_slider_changes_what_is_soft_and_nothing_that_is_hard(run: Run, notebook: NotebookPage) -> None:
    notebook.run_all()
    notebook.wait_for_charts(3)
    views = analysis.temperature.TemperatureViews(study(run))
    grid = three_digits(views.temperatures)
    wait_for_shares(notebook, views, 0.1)
    before = shown(notebook)
    assert before.temperature == pytest.approx(0.1, rel=0.01)  # to a part of a pixel
    assert before.shares == pytest.approx(shares_of(views, 0.1))

    notebook.slider("temperature").focus()
    for _ in range(STEPS):
        notebook.page.keyboard.press("ArrowRight")
    moved = grid[grid.index(0.1) + STEPS]
    notebook.wait_until(f"Math.abs(Math.log({PRESENT} / {moved!r})) < 0.01")
    wait_for_shares(notebook, views, moved)
    after = shown(notebook)
    assert after.shares == pytest.approx(shares_of(views, moved))
    assert after.shares != pytest.approx(before.shares)
    assert after.pictures["hard"] == before.pictures["hard"]
    assert after.pictures["soft"] != before.pictures["soft"]
    summary = analysis.temperature.softness_summary(views.sample.at(moved), moved, views.sample.spread)
    notebook.wait_for_text(f"τ = {moved:.3g}: {summary['effective_codes']:.3g} effective codes")

    token = 2 * 16 + 5
    click_token(notebook, token)
    notebook.button("shares").click()
    notebook.wait_until(f"{chart(VIEW)}.getAttribute('aria-label').includes('token {token}')")
    expected = views.top(token, moved)
    bars = notebook.page.evaluate(f"(({{ x, y }}) => [Array.from(x), Array.from(y)])({chart(VIEW)}._fullData[0])")
    assert bars[0] == [str(code) for code in expected["code"]]
    assert bars[1] == pytest.approx(expected["responsibility"].tolist())
    notebook.button("how decided").click()

    notebook.slider("codebook of").focus()
    notebook.page.keyboard.press("Home")
    notebook.page.locator(".lgq-foot-line").press("Enter")  # unfolds the caption
    notebook.wait_for_text("codebook of step 0,")
    past = analysis.temperature.TemperatureViews(study(run), 0)
    wait_for_shares(notebook, past, moved)
    assert shown(notebook).shares == pytest.approx(shares_of(past, moved))
    notebook.wait_for_code(
        f"TemperatureExplorer('lgq', view='decided', temperature={moved!r}, snapshot=0, token={token}"
    )
    notebook.assert_fits()

    box = notebook.page.get_by_role("textbox", name="temperature τ")
    box.fill("0.0126")
    box.press("Enter")
    notebook.wait_for_code("TemperatureExplorer('lgq', view='decided', temperature=0.0126, snapshot=0")
    box.fill("-1")
    box.press("Enter")
    notebook.wait_for_text("temperature τ is -1: give a positive number")


def wait_for_shares(notebook: NotebookPage, views: analysis.temperature.TemperatureViews, temperature: float) -> None:
    """Wait for the distributions over all tokens: a preview of fewer comes first, and the caption before the charts."""
    notebook.page.wait_for_function(
        f"""expected => {{
            const shares = Array.from({chart(VIEW)}._fullData[0].y ?? []);
            return shares.length === expected.length
                && shares.every((share, bar) => Math.abs(share - expected[bar]) < 1e-9);
        }}""",
        arg=shares_of(views, temperature),
    )


def shown(notebook: NotebookPage) -> Shown:
    """Read from the page what plotly draws."""
    values = notebook.page.evaluate(
        f"""() => ({{
            temperature: {PRESENT},
            shares: Array.from({chart(VIEW)}._fullData[0].y),
        }})"""
    )
    notebook.button("pictures").click()
    notebook.wait_until(f"{chart(VIEW)}._fullData?.some(row => row.name === 'hard')")
    pictures = f"Object.fromEntries({chart(VIEW)}._fullData.map(row => [row.name, row.source]))"
    values["pictures"] = notebook.page.evaluate(pictures)
    notebook.button("how decided").click()
    notebook.wait_until(f"{chart(VIEW)}?._fullData?.[0].type === 'bar'")
    return Shown(**values)


def shares_of(views: analysis.temperature.TemperatureViews, temperature: float) -> list[float]:
    """The heights of the bars of p* that the analysis gives."""
    figure = plots.temperature.draw_softness(views.sample.at(temperature), views.quantizer.codebook_size)
    return [float(share) for share in np.asarray(figure.data[0].y)]


def click_token(notebook: NotebookPage, token: int) -> None:
    """Click a token's square in the map."""
    notebook.page.locator(".lgq-charts .js-plotly-plot").nth(MAP).scroll_into_view_if_needed()
    x, y = notebook.page.evaluate(
        f"""token => {{
            const {{ _fullData: [map], _fullLayout: {{ xaxis, yaxis }} }} = {chart(MAP)};
            const box = {chart(MAP)}.getBoundingClientRect();
            const row = map.customdata.findIndex(tokens => Array.from(tokens).includes(token));
            const column = Array.from(map.customdata[row]).indexOf(token);
            return [box.left + xaxis._offset + xaxis.d2p(column), box.top + yaxis._offset + yaxis.d2p(row)];
        }}""",
        token,
    )
    notebook.page.mouse.click(x, y)
