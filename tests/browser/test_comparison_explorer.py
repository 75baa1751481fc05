"""Does the panel of a comparison answer a reader's gestures in a real JupyterLab with what the analysis says?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page

import lgq_explore as lgq
from lgq_explore.analysis.comparison import Comparison, at_equal_bits, compare, disagreement
from lgq_explore.training.loop import train
from tests.browser.notebook_page import HARD, SMALL, NotebookPage, chart, opened_notebook

if TYPE_CHECKING:
    from tests.browser.conftest import Lab

HOSTILE = "<img src=x onerror=alert(1)>"
RUNS = ("soft-64", "soft-16", "hard-64", HOSTILE)
CROPS = 24
CELLS = (
    "import lgq_explore as lgq",
    f"explorer = lgq.widgets.ComparisonExplorer(*{RUNS!r}, crops={CROPS})\nexplorer",
)
NOTEBOOK = "comparison.ipynb"
NUMBERS, CURVES = 0, 1
DIFFERENCES = 0
RINGS = ".querySelectorAll('.lgq-marks > svg path').length"
LEDGER, PANEL, WORDS = (
    f"document.querySelector('{part}').getBoundingClientRect()"
    for part in (".lgq-scrolled", ".lgq-panel", ".lgq-words")
)

pytestmark = pytest.mark.browser


@pytest.fixture
def notebook(lab: Lab, page: Page, monkeypatch: pytest.MonkeyPatch) -> Iterator[NotebookPage]:
    """A notebook with the panel, on runs of two methods and two sizes in the lab's data folder."""
    monkeypatch.setenv("LGQ_EXPLORE_DATA", str(lab.data))
    recipes = (SMALL, sized(SMALL, 16), HARD, sized(HARD, 16))
    for name, recipe in zip(RUNS, recipes, strict=True):
        train(recipe, lab.data / "runs" / name)
    with opened_notebook(lab, page, NOTEBOOK, CELLS) as opened:
        yield opened


def sized(recipe: lgq.TrainConfig, size: int) -> lgq.TrainConfig:
    return replace(recipe, quantizer=replace(recipe.quantizer, codebook_size=size))


def test_words_toggles_bits_pair_and_ranks_answer(lab: Lab, notebook: NotebookPage) -> None:
    comparison = compare([lgq.open_run(lab.data / "runs" / name) for name in RUNS], crops=CROPS)
    notebook.run_all()
    notebook.wait_for_charts(1)
    notebook.wait_for_text("has the highest PSNR of what has codes")
    notebook.page.get_by_text("fields that were compared").click()
    notebook.wait_for_text("learning rate at the end")
    notebook.wait_until(f"{LEDGER}.bottom <= innerHeight && {LEDGER}.height > 100")
    notebook.assert_fits()
    notebook.page.get_by_text("fields that were compared").click()
    notebook.wait_until(f"{PANEL}.height <= 700")
    notebook.wait_until(f"{WORDS}.right <= {chart(NUMBERS)}.getBoundingClientRect().left")

    notebook.button("numbers and bits").click()
    notebook.wait_for_charts(2)
    move_the_bits(notebook, comparison)
    hover_a_run(notebook)
    notebook.page.get_by_role("button", name="vq, K = 16", exact=True).click()
    notebook.wait_until(f"{chart(NUMBERS)}._fullLayout.yaxis.ticktext.length === 3")
    notebook.page.get_by_role("button", name="vq, K = 16", exact=True).click()
    notebook.wait_until(f"{chart(NUMBERS)}._fullLayout.yaxis.ticktext.length === 4")
    notebook.assert_fits()

    notebook.button("pictures").click()
    notebook.wait_for_text("rank 1 of N = 24 crops")
    notebook.page.get_by_role("combobox", name="first").select_option("lgq, K = 64")
    notebook.page.get_by_role("combobox", name="second").select_option("lgq, K = 16")
    walk_the_ranks(lab, notebook)
    notebook.assert_fits()


def move_the_bits(notebook: NotebookPage, comparison: Comparison) -> None:
    """Some steps of the slider by key: the line in the chart moves, and the numbers below are those of the analysis."""
    at = f"{chart(CURVES)}.querySelector('.lgq-marks > path').getAttribute('d')"
    notebook.wait_until(f"{chart(CURVES)}.querySelector('.lgq-marks > path')")
    before = notebook.page.evaluate(at)
    notebook.slider("bits per token").focus()
    for _ in range(5):
        notebook.page.keyboard.press("ArrowRight")
    notebook.wait_until(f"{at} !== {before!r}")
    notebook.wait_for_code("view='numbers'")
    bits = float(
        notebook.page.locator(".widget-hslider", has_text="bits per token").locator(".widget-readout").inner_text()
    )
    notebook.wait_for_text(f"At {bits:.3f} bits per token")
    found = at_equal_bits(comparison.grouped, bits).set_index("method")
    rows = notebook.page.locator(".lgq-tables tr", has_text="dB").all_inner_texts()
    for method in ("lgq", "vq"):
        (row,) = (row for row in rows if row.startswith(method))
        assert abs(float(row.split()[1]) - found.loc[method, "psnr_db"]) < 0.02


def hover_a_run(notebook: NotebookPage) -> None:
    """A point that is hovered in one chart has a ring in both."""
    place = notebook.page.evaluate(
        f"""(() => {{
            const {{ _fullData: [runs], _fullLayout: {{ xaxis, yaxis }} }} = {chart(NUMBERS)};
            const box = {chart(NUMBERS)}.getBoundingClientRect();
            return {{
                x: box.left + xaxis._offset + xaxis.d2p(runs.x[1]),
                y: box.top + yaxis._offset + yaxis.d2p(runs.y[1]),
            }};
        }})()"""
    )
    both = f"{chart(NUMBERS)}{RINGS} > 0 && {chart(CURVES)}{RINGS} > 0"
    assert not notebook.page.evaluate(both)

    def hover() -> None:
        notebook.page.mouse.move(place["x"] - 3, place["y"])
        notebook.page.mouse.move(place["x"], place["y"])

    notebook.wait_for_answer(both, hover)
    notebook.page.mouse.click(place["x"], place["y"])
    notebook.wait_for_code("highlight='lgq, K = 64, seed 0'")
    notebook.page.get_by_role("combobox", name="highlight").select_option("nothing")


def walk_the_ranks(lab: Lab, notebook: NotebookPage) -> None:
    """By the arrow keys, each crop in its turn."""
    first, second = (lgq.study(lab.data / "runs" / name, crops=CROPS) for name in ("soft-64", "soft-16"))
    frame = disagreement(first, second)
    notebook.wait_for_code("pair=['lgq, K = 64', 'lgq, K = 16']")
    notebook.slider("rank").focus()
    for rank in (2, 3):
        notebook.page.keyboard.press("ArrowRight")
        gap = f"{frame['difference'][rank - 1]:+.2f}".replace("-", "\N{MINUS SIGN}")
        notebook.wait_for_text(f"rank {rank} of N = {CROPS} crops: {frame['photograph'][rank - 1]}")
        notebook.wait_for_text(f"is {gap} dB")
    notebook.wait_until(f"{chart(DIFFERENCES)}.querySelector('.lgq-marks > path')")
    assert notebook.page.locator(".lgq-chart image").count() == 5
    notebook.wait_for_text("The pictures are those of one run of each group: lgq, K = 64 (seed 0 of 1)")
    width = notebook.page.evaluate(f"{chart(1)}._fullLayout.meta.least_width")
    assert width <= 560  # as wide as a cell in a window of 700 pixels
