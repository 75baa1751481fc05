"""Measure what a lasso over a map of codes costs, drawn on a canvas, in WebGL and in SVG, by our charts and by plotly.

    python -m benchmarks.browser.lasso [--codes 1024 16384 65536] [--rounds 3]

A map alone is drawn in a page without Jupyter. The mouse goes round half of it; measured are each move of the mouse,
the time from its release until the codes are told, and the time until the map with their marks is drawn. The result is
saved as dated JSON in `benchmarks/results/`, and printed as a table.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch

from lgq_explore.bench.markdown import count, number, table
from lgq_explore.bench.results import device_name, today
from lgq_explore.plots.geometry import MapPane, draw_latent_maps
from lgq_explore.plots.style import ON_CANVAS

from .bare_charts import BareCharts
from .command import FOLDER, measure_and_save
from .page import BROWSER_FLAGS, chromium, require_browser

if TYPE_CHECKING:
    from playwright.sync_api import Page

CANVAS = "canvas"
WAYS = {
    "canvas, ours": (CANVAS, False),
    "WebGL, ours": ("scattergl", False),
    "SVG, ours": ("scatter", False),
    "WebGL, plotly's": ("scattergl", True),
    "SVG, plotly's": ("scatter", True),
}
"""What draws the points (the package's own canvas, or a type of plotly's traces), and whose lasso it is."""

MOVES, SPAN, WIDTH = 40, 8.0, 855
COLUMNS = {"opening": "opening", "move": "a move of the mouse", "told": "release to codes", "marked": "codes to marks"}

LISTEN = """chart => new Promise((done) => {
    globalThis.toldAt = null;
    chart.on("plotly_selected", (event) => event?.lassoPoints && (toldAt = performance.now()));
    done();
})"""
RELEASED = "addEventListener('pointerup', () => (globalThis.releasedAt = performance.now()), { capture: true })"
DRAWN = """async (state) => {
    const start = performance.now();
    model.set(state);
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    return performance.now() - start;
}"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and save the result; returns 2 with a message on stderr for unusable input."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.browser.lasso", description=__doc__.splitlines()[0])
    parser.add_argument("--codes", type=int, nargs="+", default=[1024, 16384, 65536], metavar="K")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="of each way, in turn")
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="FOLDER", help="for the result")
    options = parser.parse_args(arguments)
    return measure_and_save(lambda: measure(options.codes, options.rounds), options.out, markdown_table)


def measure(codes: Sequence[int], rounds: int) -> dict[str, Any]:
    """A JSON object with one result for each number of codes and each way to draw and catch them."""
    path = require_browser()
    results = []
    for size in codes:
        told: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        for _ in range(rounds):
            for way in WAYS:
                with chromium(path) as page:
                    told[way].append(_measure(page, size, *WAYS[way]))
        results += [{"codes": size, "way": way, **_columns(each)} for way, each in told.items()]
    return {
        "benchmark": "lasso",
        "date": today(),
        "device": device_name("cpu", torch.get_num_threads()),
        "protocol": {"rounds": rounds, "moves": MOVES, "browser_flags": list(BROWSER_FLAGS), "width": WIDTH},
        "results": results,
    }


def markdown_table(measured: dict[str, Any]) -> str:
    """A row for each number of codes and each way, in milliseconds."""
    header = ["codes K", "map and lasso", *(f"{name}, ms" for name in COLUMNS.values())]
    rows = (
        [f"{each['codes']:,d}", each["way"], *(number(1000 * each[f"median_{name}_seconds"]) for name in COLUMNS)]
        for each in measured["results"]
    )
    protocol = measured["protocol"]
    caption = (
        f"Medians of {count(protocol['rounds'], 'round')}, {protocol['moves']} moves of the mouse around the middle of "
        f"a map {protocol['width']} pixels wide; then a quarter of its codes is marked. {measured['date']}, "
        f"{measured['device']}."
    )
    return f"{table(header, rows, left=2)}\n\n{caption}"


def _columns(rounds: list[dict[str, float]]) -> dict[str, Any]:
    lists = {name: [each[name] for each in rounds] for name in COLUMNS}
    return {f"{name}_seconds": values for name, values in lists.items()} | {
        f"median_{name}_seconds": median(values) for name, values in lists.items()
    }


def _measure(page: Page, codes: int, drawn_by: str, by_plotly: bool) -> dict[str, float]:
    start = time.perf_counter()
    charts = BareCharts(page, [_map(codes, drawn_by)], WIDTH)
    opening = time.perf_counter() - start
    page.evaluate(RELEASED)
    if by_plotly:
        charts.button("zoom").click()
        page.evaluate(f"({LISTEN})(document.querySelector('.js-plotly-plot'))")
        charts.read("Plotly.relayout(chart, { dragmode: 'lasso' }).then(() => null)")
    moving = _lasso(charts)
    told = "toldAt" if by_plotly else "sent.length"
    page.wait_for_function(told)
    answered = page.evaluate("(globalThis.toldAt ?? sentAt) - releasedAt") / 1000
    marked = BareCharts.shown([_map(codes, drawn_by, selected=range(codes // 4))])
    return {
        "opening": opening,
        "move": moving / MOVES,
        "told": answered,
        "marked": page.evaluate(DRAWN, marked) / 1000,
    }


def _lasso(charts: BareCharts) -> float:
    """Go round the middle half of the map; returns the seconds that the moves took."""
    angles = np.linspace(0, 2 * np.pi, MOVES)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1) * SPAN / 2
    (first, *others) = charts.on_screen(circle.tolist())
    mouse = charts.page.mouse
    mouse.move(*first)
    mouse.down()
    start = time.perf_counter()
    for place in others:
        mouse.move(*place)
    moving = time.perf_counter() - start
    mouse.up()
    return moving


def _map(codes: int, drawn_by: str, selected: Sequence[int] = ()) -> go.Figure:
    generator = np.random.default_rng(0)
    places = pd.DataFrame(generator.normal(scale=2.5, size=(codes, 2)), columns=["x", "y"])
    placed = places.assign(code=np.arange(codes), count=generator.poisson(5, size=codes))
    edges = pd.DataFrame({"code": [], "neighbour": []}, dtype=int)
    pane = MapPane("codes", placed, places.iloc[:0], edges, ("first", "second"), (-SPAN, SPAN, -SPAN, SPAN))
    (drawn,) = draw_latent_maps([pane], selected=selected)
    return (
        drawn if drawn_by == CANVAS else go.Figure([_by_plotly(trace, drawn_by) for trace in drawn.data], drawn.layout)
    )


def _by_plotly(trace: Any, drawn_by: str) -> dict[str, Any]:
    """The trace, drawn by plotly itself unless it marks codes."""
    content = trace.to_plotly_json() | {"type": drawn_by}
    return content | {"meta": None} if content["meta"] == ON_CANVAS else content


if __name__ == "__main__":
    sys.exit(main())
