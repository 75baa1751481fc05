"""Measure how soon each control of each explorer shows what it changes, in a real browser.

    python -m benchmarks.browser.gestures [--codes 1024 65536] [--repeats 3] [--data photos] [--panels usage geometry]

Each explorer is opened in JupyterLab on a run of one training step; times depend on sizes only. Every control in sight
is moved by key or click, and the time until the browser has drawn the answer is taken by the page's clock (`clock.js`).
The result is saved as dated JSON in `benchmarks/results/`, and printed as a table.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import torch

from lgq_explore.bench.markdown import number, table
from lgq_explore.bench.results import device_name, results_folder, save_result, today
from lgq_explore.errors import InputError

from .explorers import POLL, BrowserSizes, Watched, train_run, watched_notebook
from .page import BROWSER_FLAGS, SECONDS, VIEWPORT, require_browser

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

FOLDER = Path(__file__).parents[1] / "results"
PANELS = {
    "usage": 'lgq.widgets.UsageExplorer("lgq")',
    "temperature": 'lgq.widgets.TemperatureExplorer("lgq")',
    "geometry": 'lgq.widgets.GeometryExplorer("lgq")',
    "codes": 'lgq.widgets.CodeInspector("lgq", selection=[3, 17])',
    "patch": 'lgq.widgets.PatchInspector("lgq")',
    "toys": "lgq.widgets.ToyLab()",
}
"""The line that opens each explorer; "lgq" is the run."""

QUIET, ANSWER = 800, 20 * SECONDS
"""Milliseconds without drawing after which an answer counts as whole, and within which one must begin."""

HEAP = "performance.memory.usedJSHeapSize / 1e6"
ANSWERED = "(quiet) => clock.isQuietFor(quiet)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and save the result; returns 2 with a message on stderr for unusable input."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.browser.gestures", description=__doc__.splitlines()[0])
    parser.add_argument("--codes", type=int, nargs="+", default=[1024, 65536], metavar="K")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="of each gesture")
    parser.add_argument("--data", default="photos", metavar="SPEC", help="pictures of the panels")
    parser.add_argument("--panels", nargs="+", default=list(PANELS), choices=list(PANELS))
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="FOLDER", help="for the result")
    options = parser.parse_args(arguments)
    try:
        results_folder(options.out)
        sizes = [BrowserSizes(codes, data=options.data) for codes in options.codes]
        measured = measure(sizes, options.panels, options.repeats)
        print(save_result(measured, options.out), file=sys.stderr)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    print(markdown_table(measured))
    return 0


def measure(sizes: Sequence[BrowserSizes], panels: Sequence[str], repeats: int) -> dict[str, Any]:
    """A JSON object with one result for each explorer and size; each has the times of all its controls."""
    path = require_browser()
    return {
        "benchmark": "gestures",
        "date": today(),
        "device": device_name("cpu", torch.get_num_threads()),
        "protocol": {"repeats": repeats, "browser_flags": list(BROWSER_FLAGS), "viewport": list(VIEWPORT)},
        "results": [_measure_panel(path, size, panel, repeats) for size in sizes for panel in panels],
    }


def markdown_table(measured: dict[str, Any]) -> str:
    """A row for each explorer and size: medians over all its controls and of the slowest, in milliseconds."""
    header = ["explorer", "codes K", "opening, s", "heap, MB", "a gesture, ms", "the slowest control", "its median, ms"]
    return table(header, map(_row, measured["results"]), left=1)


def _row(result: dict[str, Any]) -> list[str]:
    medians = {name: median(times) for name, times in result["control_seconds"].items() if times}
    times = [time for values in result["control_seconds"].values() for time in values]
    slowest = max(medians, key=lambda name: medians[name], default="")
    opened = [number(result[name]) for name in ("opening_seconds", "heap_megabytes")]
    answers = [number(1000 * median(times)), slowest, number(1000 * medians[slowest])] if times else [""] * 3
    return [result["panel"], f"{result['codes']:,d}", *opened, *answers]


def _measure_panel(path: str, sizes: BrowserSizes, panel: str, repeats: int) -> dict[str, Any]:
    cells = ("import lgq_explore as lgq", PANELS[panel])
    with watched_notebook(path, cells, QUIET) as watched:
        train_run(sizes, watched.lab)
        opened = watched.open_panel()
        times = {
            name: [seconds for _ in range(repeats) if (seconds := _timed(watched, gesture)) is not None]
            for name, gesture in _gestures(watched.page)
        }
        heap = watched.page.evaluate(HEAP)
    return {
        "panel": panel,
        "codes": sizes.codes,
        "opening_seconds": (opened["lastDrawn"] - opened["gestures"]["keydown"]) / 1000,
        "heap_megabytes": heap,
        "control_seconds": times,
    }


def _timed(watched: Watched, gesture: Callable[[], None]) -> float | None:
    """Seconds from the gesture until its first answer is drawn; None where nothing changes."""
    from playwright.sync_api import TimeoutError

    watched.page.evaluate("clock.forget()")
    gesture()
    try:
        watched.page.wait_for_function(ANSWERED, arg=QUIET, polling=POLL, timeout=ANSWER)
    except TimeoutError:
        return None
    told = watched.page.evaluate("clock")
    began = max(told["gestures"].get(kind, 0) for kind in ("keydown", "click"))
    answers = [redraw["drawn"] for redraw in told["redraws"] if redraw["drawn"] > began]
    return (min(answers, default=told["lastDrawn"]) - began) / 1000


def _gestures(page: Page) -> Iterator[tuple[str, Callable[[], None]]]:
    """The label of each control in sight, and what moves it on, and back the next time."""
    panel = page.locator(".lgq-panel")
    for menu in _visible(panel.locator(".widget-dropdown")):
        yield _label(menu), _keys(page, menu.locator("select"), ("ArrowDown", "ArrowUp"))
    for slider in _visible(panel.locator(".widget-hslider")):
        yield _label(slider), _keys(page, slider.locator(".noUi-handle"), ("ArrowRight", "ArrowLeft"))
    for box in _visible(panel.locator(".widget-text:has(input[placeholder*='dead'])")):
        yield _label(box), _typed(box.locator("input"), ("3, 5", "3-9"))
    for buttons in _visible(panel.locator(".widget-toggle-buttons")):
        yield "tabs", _clicks(buttons.locator("button"))


def _visible(found: Locator) -> list[Locator]:
    return [each for each in found.all() if each.is_visible()]


def _label(control: Locator) -> str:
    return control.locator(".widget-label").first.inner_text().strip().rstrip(":") or "menu"


def _in_turn(actions: Sequence[Callable[[], None]]) -> Callable[[], None]:
    place = iter(range(10**6))
    return lambda: actions[next(place) % len(actions)]()


def _keys(page: Page, control: Locator, keys: Sequence[str]) -> Callable[[], None]:
    def press(key: str) -> None:
        control.focus()
        page.keyboard.press(key)

    return _in_turn([lambda key=key: press(key) for key in keys])


def _typed(box: Locator, texts: Sequence[str]) -> Callable[[], None]:
    def type_in(text: str) -> None:
        box.fill(text)
        box.press("Enter")

    return _in_turn([lambda text=text: type_in(text) for text in texts])


def _clicks(buttons: Locator) -> Callable[[], None]:
    return _in_turn([buttons.nth(place).click for place in reversed(range(buttons.count()))])


if __name__ == "__main__":
    sys.exit(main())
