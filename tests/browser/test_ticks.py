"""Has every axis and colour bar of every figure round numbers, however small the figure and however few its data?"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from playwright.sync_api import Page

from benchmarks.browser.bare_charts import BareCharts
from lgq_explore import analysis, plots
from tests.plots.test_refusals import drawings

pytestmark = pytest.mark.browser

HALF_A_PANEL, STRIP = 400, 250
"""Screen pixels of charts that stand beside each other, and of the narrowest ones."""

TICKS = """[...document.querySelectorAll(".lgq-chart .js-plotly-plot")].map((chart) => {
    const texts = (selector, place) => [...place.querySelectorAll(selector)].map((text) => text.textContent);
    const axes = Object.entries(chart._fullLayout).filter(([name, axis]) =>
        /^[xy]axis\\d*$/.test(name) && axis.visible && axis.showticklabels && axis.type !== "category");
    return {
        ...Object.fromEntries(axes.map(([name, axis]) => [name, texts(`.${axis._id}tick text`, chart)])),
        ...Object.fromEntries([...chart.querySelectorAll(".colorbar")].map((bar, place) =>
            [`colour bar ${place}`, texts(".cbaxis text", bar)])),
    };
})"""


def figures() -> dict[str, go.Figure]:
    """Every figure that is drawn from frames, of one row each: what there is at the first step."""
    live = [drawing for drawing in drawings() if ".draw_" in drawing.name]
    drawn = {drawing.name: drawing.draw(*drawing.frames()) for drawing in live}
    return {name: figure[0] if isinstance(figure, list) else figure for name, figure in drawn.items()}


def maps() -> dict[str, go.Figure]:
    """A map in every colour, and tables of codes of several sizes."""
    generator = np.random.default_rng(0)
    columns = {kind.column for kind in plots.geometry.CODE_COLOURS.values()} - {"count"}
    values = {column: generator.gamma(2, 0.37, size=64) for column in sorted(columns)}
    codes = pd.DataFrame({"code": np.arange(64), "x": generator.normal(size=64), "y": generator.normal(size=64)})
    codes = codes.assign(count=generator.poisson(30, size=64), **values)
    edges = pd.DataFrame({"code": [], "neighbour": []}, dtype=int)
    pane = plots.geometry.MapPane("codes", codes, codes, edges, ("first", "second"), (-3.3, 3.1, -2.7, 2.9))
    tables = {
        size: analysis.usage.of_counts(generator.poisson(generator.gamma(0.5, 70, size))) for size in (64, 1000, 16_384)
    }
    return {colour: plots.geometry.draw_latent_maps([pane], colour)[0] for colour in plots.geometry.CODE_COLOURS} | {
        f"{size} codes": plots.usage.draw_grid(analysis.usage.grid(usage)) for size, usage in tables.items()
    }


@pytest.mark.parametrize("width", [HALF_A_PANEL, STRIP])
def test_every_axis_has_round_numbers(page: Page, width: int) -> None:
    shown = figures() | maps()
    found = ticks_of(page, shown, width)
    few = {f"{name}: {axis}": ticks for name, axes in found.items() for axis, ticks in axes.items() if len(ticks) < 2}
    one_row = {
        "geometry.draw_code_neighbours: xaxis",
        "audit.draw_audit: yaxis",
        "comparison.draw_group_numbers: yaxis",
    }
    assert few.keys() <= one_row, "one code has one neighbour here, one metric is audited, and one group is compared"
    odd = {f"{name}: {axis}": ticks for name, axes in found.items() for axis, ticks in axes.items() if not_round(ticks)}
    assert odd == {}


def ticks_of(page: Page, shown: dict[str, go.Figure], width: int) -> dict[str, dict[str, Any]]:
    BareCharts(page, list(shown.values()), width)
    return dict(zip(shown, page.evaluate(TICKS), strict=True))


def not_round(ticks: list[str]) -> list[str]:
    """Ticks of more than two digits, but for the codes that begin the rows of a table, and repeated ones.

    Names in place of numbers need only differ.
    """
    if not any(character.isdigit() for tick in ticks for character in tick):
        return [tick for tick in ticks if ticks.count(tick) > 1]
    numbers = [tick.replace("\N{MINUS SIGN}", "-").replace(",", "") for tick in ticks if tick not in ("dead", "unused")]
    digits = [re.sub(r"^-?0*\.?0*|\.?0*$|%|\.", "", re.sub(r"\.$", "", number)) for number in numbers]
    long = [tick for tick, held in zip(numbers, digits, strict=True) if len(held.rstrip("0")) > 2]
    evenly = len(set(np.diff([float(number.rstrip("%")) for number in numbers]))) <= 1
    repeated = [tick for tick in ticks if ticks.count(tick) > 1]
    return repeated + ([] if evenly else long)
