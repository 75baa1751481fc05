"""Measure how soon each control of each explorer shows what it changes, in a real browser.

    python -m benchmarks.browser.gestures [--codes 1024 65536] [--repeats 3] [--data photos] [--panels usage geometry]

Each explorer is opened in JupyterLab on a run of one training step; times depend on sizes only. Every control, also of
each tab, is moved by key or click, on and back. The page's clock (`clock.js`) takes two times: until the browser has
drawn the first chart that answers, and until it has drawn all charts that the answer changes. What is measured is told
on the way. The result is saved as dated JSON in `benchmarks/results/`, and printed as a table.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch

from lgq_explore.bench.markdown import count, number, table
from lgq_explore.bench.results import device_name, today

from .command import FOLDER, measure_and_save, tell
from .controls import Control, controls, tabs
from .explorers import PANEL_QUIET, POLL, BrowserSizes, Watched, train_run, watched_notebook
from .page import BROWSER_FLAGS, PATIENCE, SECONDS, VIEWPORT, require_browser

PANELS = {
    "usage": 'lgq.widgets.UsageExplorer("lgq")',
    "temperature": 'lgq.widgets.TemperatureExplorer("lgq")',
    "geometry": 'lgq.widgets.GeometryExplorer("lgq")',
    "codes": 'lgq.widgets.CodeInspector("lgq", selection=[3, 17])',
    "patch": 'lgq.widgets.PatchInspector("lgq")',
    "toys": "lgq.widgets.ToyLab()",
}
"""The line that opens each explorer; "lgq" is the run."""

DRAW_TWICE = ("temperature", "toys")
"""Panels that draw what is known at once, and the rest when it is computed."""

QUIET, SILENT = 800, 4 * SECONDS
"""Milliseconds without drawing after which an answer counts as whole, and without a word from the kernel after which
nothing counts as changed."""

HEAP = "performance.memory.usedJSHeapSize / 1e6"
ANSWER = "([quiet, silent]) => clock.answer(quiet, silent)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and save the result; returns 2 with a message on stderr for unusable input."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.browser.gestures", description=__doc__.splitlines()[0])
    parser.add_argument("--codes", type=int, nargs="+", default=[1024, 65536], metavar="K")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="of each gesture")
    parser.add_argument("--data", default="photos", metavar="SPEC", help="pictures of the panels")
    parser.add_argument("--panels", nargs="+", default=list(PANELS), choices=list(PANELS))
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="FOLDER", help="for the result")
    options = parser.parse_args(arguments)

    def measured() -> dict[str, Any]:
        sizes = [BrowserSizes(codes, data=options.data) for codes in options.codes]
        return measure(sizes, options.panels, options.repeats)

    return measure_and_save(measured, options.out, markdown_table)


def measure(sizes: Sequence[BrowserSizes], panels: Sequence[str], repeats: int) -> dict[str, Any]:
    """A JSON object with one result for each explorer and size; each has the times of all its controls."""
    path = require_browser()
    return {
        "benchmark": "gestures",
        "date": today(),
        "device": device_name("cpu", torch.get_num_threads()),
        "protocol": {"repeats": repeats, "browser_flags": list(BROWSER_FLAGS), "viewport": list(VIEWPORT)},
        "results": [result for size in sizes for result in _measure_size(path, size, panels, repeats)],
    }


def markdown_table(measured: dict[str, Any]) -> str:
    """A row for each explorer and size: medians over all its controls and of the slowest, in milliseconds.

    A time is that of the first chart that answers. "whole" is that of all charts, which older results do not have.
    """
    header = ["explorer", "codes K", "opening, s", "heap, MB", "a gesture, ms", "the slowest control", "its median, ms",
              "whole, ms"]  # fmt: skip
    moves = count(measured["protocol"]["repeats"], "move")
    caption = (
        f"Medians of {moves} of each control, on and back, by the page's clock. "
        f"{measured['date']}, {measured['device']}."
    )
    return f"{table(header, map(_row, measured['results']), left=1)}\n\n{caption}"


def _row(result: dict[str, Any]) -> list[str]:
    subject = [result["panel"], f"{result['codes']:,d}"]
    if result.get("failed"):
        return [*subject, "", "", "", result["failed"].splitlines()[0], "", ""]
    medians, whole = (_medians(result.get(name, {})) for name in ("control_seconds", "whole_seconds"))
    times = [time for values in result["control_seconds"].values() for time in values]
    slowest = max(medians, key=lambda name: medians[name], default="")
    opened = [number(result[name]) for name in ("opening_seconds", "heap_megabytes")]
    if not times:
        return [*subject, *opened, "", "", "", ""]
    of_all = number(1000 * whole[slowest]) if whole else ""
    return [*subject, *opened, number(1000 * median(times)), slowest, number(1000 * medians[slowest]), of_all]


def _medians(seconds: dict[str, list[float]]) -> dict[str, float]:
    return {name: median(times) for name, times in seconds.items() if times}


def _measure_size(path: str, sizes: BrowserSizes, panels: Sequence[str], repeats: int) -> Iterator[dict[str, Any]]:
    """The result of each panel on one run; one that fails says why, and the others follow."""
    from playwright.sync_api import Error

    tell(f"K = {sizes.codes:,d}: training one step")
    with TemporaryDirectory(prefix="lgq-explore-") as folder:
        run = Path(folder) / "lgq"
        train_run(sizes, run)
        for panel in panels:
            subject = {"panel": panel, "codes": sizes.codes}
            try:
                yield subject | _measure_panel(path, run, subject, repeats)
            except (RuntimeError, Error) as error:
                tell(f"{panel}, K = {sizes.codes:,d}: failed: {error}")
                yield subject | {"failed": str(error)}


def _measure_panel(path: str, run: Path, subject: dict[str, Any], repeats: int) -> dict[str, Any]:
    panel = subject["panel"]
    cells = ("import lgq_explore as lgq", PANELS[panel])
    quiet = PANEL_QUIET if panel in DRAW_TWICE else QUIET
    with watched_notebook(path, cells, quiet) as watched:
        shutil.copytree(run, watched.lab.data / "runs" / run.name)
        opened = watched.open_panel()
        opening = (opened["lastDrawn"] - opened["gestures"]["keydown"]) / 1000
        tell(f"{panel}, K = {subject['codes']:,d}: open after {opening:.1f} s")
        answers = _time_all(watched, repeats)
        heap = watched.page.evaluate(HEAP)
    return {
        "opening_seconds": opening,
        "heap_megabytes": heap,
        "control_seconds": {name: [each.first for each in times] for name, times in answers.items()},
        "whole_seconds": {name: [each.whole for each in times] for name, times in answers.items()},
    }


@dataclass(frozen=True)
class Answer:
    """Seconds from a gesture until the first chart that answers it is drawn, and until all of that redraw are."""

    first: float
    whole: float


def _time_all(watched: Watched, repeats: int) -> dict[str, list[Answer]]:
    """The answers to each move of each control, first of those in sight, then of each tab and what comes with it."""
    times: dict[str, list[Answer]] = {}
    pages = tabs(watched.page)
    for tab in [None, *pages]:
        if tab is not None:
            times[tab.label] = _times(watched, tab, 1)
        for control in controls(watched.page):
            if control.label not in times:
                times[control.label] = _times(watched, control, repeats)
    for _ in range(repeats - 1):
        for tab in pages:
            times[tab.label] += _times(watched, tab, 1)
    return times


def _times(watched: Watched, control: Control, repeats: int) -> list[Answer]:
    """The answers to so many moves; none any more from the first on that changes nothing."""
    times: list[Answer] = []
    while len(times) < repeats and (answer := _answer_of(watched, control)) is not None:
        times.append(answer)
    said = " ".join(f"{1000 * each.first:.0f}–{1000 * each.whole:.0f}" for each in times)
    tell(f"  {control.label}: {said or 'nothing changes'} ms")
    return times


def _answer_of(watched: Watched, control: Control) -> Answer | None:
    """The first answer to a move of a control; None where nothing changes."""
    watched.page.evaluate("clock.forget()")
    control.move()
    answer = watched.page.wait_for_function(ANSWER, arg=[watched.quiet, SILENT], polling=POLL, timeout=PATIENCE)
    if answer.json_value() == "nothing":
        return None
    told = watched.page.evaluate("clock")
    began = max(told["gestures"].get(kind, 0) for kind in ("keydown", "click"))
    redraw = min((each for each in told["redraws"] if each["first"] > began), key=lambda each: each["first"])
    return Answer((redraw["first"] - began) / 1000, (redraw["drawn"] - began) / 1000)


if __name__ == "__main__":
    sys.exit(main())
