"""The time that panels take to respond in a real browser.

A notebook is opened in JupyterLab, in a headless browser without a GPU, and operated by key, click and drag. Times are
measured by a clock in the page, from the gesture until the browser has drawn the response (``clock.js``). Two panels
are measured:

- the temperature panel: the time from a key press until its charts have changed, and the part of it after the message
  with the new figures has reached the page;
- a map of a large codebook among tokens, drawn by the package's charts and by jupyter-scatter, which is not a
  dependency and is measured if it is installed. They alternate, each time in a new page with a new kernel.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch

from lgq_explore.bench.results import device_name, today
from lgq_explore.errors import InputError
from lgq_explore.quantizers.methods.lgq import LGQConfig
from lgq_explore.runs.config import TrainConfig
from lgq_explore.training.loop import train
from lgq_explore.training.presets import preset

from .cells import MAPS, TEMPERATURE_PANEL, map_notebook
from .page import (
    BROWSER_FLAGS,
    PATIENCE,
    VIEWPORT,
    Lab,
    NotebookPage,
    chromium,
    jupyterlab,
    require_browser,
    write_notebook,
)

if TYPE_CHECKING:
    from playwright.sync_api import FloatRect, Locator, Page

CLOCK = Path(__file__).parent / "clock.js"
NOTEBOOK = "notebook.ipynb"
POLL = 50
"""Milliseconds between two checks whether drawing has ended."""

QUIET, PANEL_QUIET = 1000, 3000
"""Milliseconds without drawing after which drawing counts as ended: for a map, and for the temperature panel, whose
preview is followed by all tokens."""

REPEATS = 3
"""How often a map is coloured and moved in each round."""

DRAG_STEPS, DRAG = 20, (120, 60)
"""Number of mouse moves from the middle of a map and as many back, and their distance in pixels."""

NEEDS = {"jupyter-scatter": "jscatter"}
"""Modules for drawing maps that are not dependencies of the package."""

CHART, RIVAL = ".lgq-charts .nsewdrag", ".jp-OutputArea-output canvas"
VERSIONS = ("torch", "plotly", "anywidget", "jupyterlab", "playwright")


RENDERER = """() => {
    const gl = document.createElement("canvas").getContext("webgl2");
    return gl.getParameter(gl.getExtension("WEBGL_debug_renderer_info").UNMASKED_RENDERER_WEBGL);
}"""


@dataclass(frozen=True)
class BrowserSizes:
    """codes: of the panel's and the map's codebook. tokens: on the map. moves: of the temperature. rounds: of the map.

    data: whose held-out pictures the panel shows.

    Raises:
        InputError: a size under 1, or fewer than 2 codes.
    """

    codes: int = 16384
    tokens: int = 20000
    moves: int = 20
    rounds: int = 5
    data: str = "photos"

    def __post_init__(self) -> None:
        for name, least in (("codes", 2), ("tokens", 1), ("moves", 1), ("rounds", 1)):
            if getattr(self, name) < least:
                raise InputError(f"{name} is {getattr(self, name)}: give at least {least}")


def measure_browser(sizes: BrowserSizes, say: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Measure as described above: a JSON object with one result for the panel and one for each way to draw the map.

    say: called with a description of each measurement.

    Raises:
        InputError: a browser, JupyterLab or what drives them is missing, or data that are not available.
    """
    path = require_browser()
    rounds: dict[str, list[dict[str, Any]]] = {
        way: [] for way in MAPS if way not in NEEDS or find_spec(NEEDS[way]) is not None
    }
    say("the temperature panel")
    panel = _measure_panel(sizes, path)
    for number in range(sizes.rounds):
        for way in _in_turn(list(rounds), number):
            say(f"the map by {way}, round {number + 1} of {sizes.rounds}")
            rounds[way].append(_measure_map(sizes, way, path))
    browser = _describe_browser(path)
    return {
        "benchmark": "browser",
        "date": today(),
        "device": device_name("cpu", torch.get_num_threads()),
        "versions": {
            **{name: version(name) for name in VERSIONS},
            **{way: version(way) for way in rounds if way in NEEDS},
            "chromium": browser["chromium"],
        },
        "protocol": {
            "clock": "the page's clock",
            "renderer": browser["renderer"],
            "browser_flags": list(BROWSER_FLAGS),
            "viewport": list(VIEWPORT),
            "rounds": sizes.rounds,
            "repeats": REPEATS,
            "drag_steps": 2 * DRAG_STEPS,
        },
        "results": [
            *panel,
            *(_map_result(sizes, way, rounds.get(way, [])) for way in MAPS),
        ],
    }


def _describe_browser(path: str) -> dict[str, str]:
    """The version of the browser, and its WebGL renderer."""
    with chromium(path) as page:
        browser = page.context.browser
        assert browser is not None
        return {"chromium": browser.version, "renderer": page.evaluate(RENDERER)}


class Watched:
    """A notebook of two cells, in a page with the clock."""

    def __init__(self, page: Page, lab: Lab, cells: tuple[str, str], quiet: int) -> None:
        write_notebook(lab.notebooks / NOTEBOOK, cells)
        self.page, self.lab, self.quiet = page, lab, quiet
        self.notebook = NotebookPage(page)
        self.notebook.open(lab.address_of(NOTEBOOK))

    def run_cell(self, place: int) -> None:
        self.page.locator(".jp-CodeCell .cm-content").nth(place).click()
        self.page.evaluate("clock.forget()")
        self.page.keyboard.press("Shift+Enter")

    def open_panel(self) -> dict[str, Any]:
        """Run the first cell, then the second until its panel is drawn; returns the clock's record of the second."""
        self.run_cell(0)
        self.page.locator(".jp-CodeCell .jp-InputPrompt", has_text="[1]:").wait_for(timeout=PATIENCE)
        self.run_cell(1)
        return self.drawn()

    def after(self, gesture: Callable[[], object]) -> dict[str, Any]:
        """The clock's record of a gesture, once drawing has ended."""
        self.page.evaluate("clock.forget()")
        gesture()
        return self.drawn()

    def after_key(self, key: str) -> dict[str, Any]:
        return self.after(lambda: self.page.keyboard.press(key))

    def drawn(self) -> dict[str, Any]:
        self.page.wait_for_function(f"clock.isQuietFor({self.quiet})", polling=POLL, timeout=PATIENCE)
        if self.notebook.errors:
            raise RuntimeError("the browser's console says\n" + "\n".join(self.notebook.errors))
        told: dict[str, Any] = self.page.evaluate("clock")
        return told


@contextmanager
def watched_notebook(path: str, cells: tuple[str, str], quiet: int = QUIET) -> Iterator[Watched]:
    """A notebook in a new browser, JupyterLab and kernel, without traces of earlier measurements."""
    with TemporaryDirectory(prefix="lgq-explore-") as folder, jupyterlab(Path(folder)) as lab, chromium(path) as page:
        page.add_init_script(path=CLOCK)
        yield Watched(page, lab, cells, quiet)


def train_run(sizes: BrowserSizes, folder: Path) -> None:
    """A run of one training step in `folder`; times depend on sizes only. Its codes start at tokens drawn at random."""
    recipe: TrainConfig = replace(preset("tiny", "lgq", codebook_size=sizes.codes), data=sizes.data, steps=1)
    assert isinstance(recipe.quantizer, LGQConfig)
    quantizer = replace(recipe.quantizer, initialization="random")  # k-means++ takes minutes for many codes
    train(replace(recipe, quantizer=quantizer, warmup_steps=0), folder, device="cpu", progress=False)


def _measure_panel(sizes: BrowserSizes, path: str) -> list[dict[str, Any]]:
    """A result for jumps to the slider's ends, and one for steps up from its lower end."""
    with watched_notebook(path, TEMPERATURE_PANEL, PANEL_QUIET) as watched:
        train_run(sizes, watched.lab.data / "runs" / "lgq")
        opened = watched.open_panel()
        slider = watched.page.locator(".widget-hslider", has_text="temperature").locator(".noUi-handle")
        steps = int(float(slider.get_attribute("aria-valuemax") or 0))
        if sizes.moves > steps:
            raise InputError(f"moves is {sizes.moves}: the slider has {steps} temperatures to move to")
        slider.focus()
        pressed = {
            "to an end": [watched.after_key(key) for key in ("End", "Home")],
            "to the next": [watched.after_key("ArrowRight") for _ in range(sizes.moves)],
        }
        shared = {
            "panel": "temperature",
            "codes": sizes.codes,
            **json.loads((watched.lab.notebooks / "panel.json").read_bytes()),
            "charts": watched.page.locator(".lgq-charts .js-plotly-plot").count(),
            "opening_seconds": _seconds(opened["gestures"]["keydown"], opened["lastDrawn"]),
        }
    return [shared | {"move": move} | _move_result(clocks) for move, clocks in pressed.items()]


def _move_result(clocks: list[dict[str, Any]]) -> dict[str, Any]:
    """For each key press, the seconds to the first and the last redraw, and those of each redraw after its message."""
    redraws = [redraw for told in clocks for redraw in told["redraws"]]
    seconds = {
        "answer_seconds": [_seconds(told["gestures"]["keydown"], told["redraws"][0]["drawn"]) for told in clocks],
        "whole_seconds": [_seconds(told["gestures"]["keydown"], told["redraws"][-1]["drawn"]) for told in clocks],
        "redraw_seconds": [_seconds(redraw["arrived"], redraw["drawn"]) for redraw in redraws],
    }
    return {
        "redraws": [len(told["redraws"]) for told in clocks],
        "redraw_megabytes": statistics.median(redraw["bytes"] for redraw in redraws) / 1e6,
        **seconds,
        **_medians(seconds),
    }


def _measure_map(sizes: BrowserSizes, way: str, path: str) -> dict[str, Any]:
    """Seconds in one round: opening the map, colouring and moving its codes, each frame of a drag, and a lasso."""
    with watched_notebook(path, map_notebook(way, sizes.codes, sizes.tokens)) as watched:
        page = watched.page
        opened = watched.open_panel()
        surface = page.locator(RIVAL if way in NEEDS else CHART).first
        surface.scroll_into_view_if_needed()
        page.wait_for_timeout(QUIET)
        told = {
            action: [watched.after(_button(page, action).click) for _ in range(REPEATS)]
            for action in ("recolour", "move")
        }
        _choose(page, way, "pan")
        box = _box(surface)
        panned = watched.after(lambda: _drag(page, box))
        _choose(page, way, "lasso")
        page.evaluate("clock.forget()")
        _draw_lasso(page, box)  # a map need not draw anything then: the codes that it caught are the answer
        released = page.evaluate("performance.timeOrigin + clock.gestures.mouseup") / 1000
        selected = _wait_for_json(watched.lab.notebooks / "selection.json")
    frames = [frame for frame in panned["frames"] if frame <= panned["gestures"]["mouseup"]]
    return {
        "pixels": [round(box["width"]), round(box["height"])],
        "opening_megabytes": sum(arrival["bytes"] for arrival in opened["arrivals"]) / 1e6,
        "selected": selected["codes"],
        "opening_seconds": [_seconds(opened["gestures"]["keydown"], opened["lastDrawn"])],
        **{
            f"{action}_seconds": [_seconds(each["gestures"]["click"], each["lastDrawn"]) for each in clocks]
            for action, clocks in told.items()
        },
        "frame_seconds": [_seconds(*pair) for pair in pairwise(frames)],
        "release_seconds": [_seconds(panned["gestures"]["mouseup"], panned["lastDrawn"])],
        "lasso_seconds": [selected["arrived"] - released],
    }


def _map_result(sizes: BrowserSizes, way: str, rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """All rounds for one way to draw the map, concatenated, with their medians."""
    seconds = {
        name: [value for each in rounds for value in each[name]]
        for name in ("opening_seconds", "recolour_seconds", "move_seconds", "frame_seconds", "release_seconds")
    }
    seconds["longest_frame_seconds"] = [max(each["frame_seconds"]) for each in rounds]
    seconds["lasso_seconds"] = [value for each in rounds for value in each["lasso_seconds"]]
    last = rounds[-1] if rounds else dict.fromkeys(("pixels", "opening_megabytes", "selected"))
    return {
        "panel": "map",
        "drawn_by": way,
        "codes": sizes.codes,
        "tokens": sizes.tokens,
        **{name: last[name] for name in ("pixels", "opening_megabytes", "selected")},
        "frames": [len(each["frame_seconds"]) for each in rounds],
        **seconds,
        **_medians(seconds),
        "not_run": None if rounds else f"{way} is not installed",
    }


def _medians(seconds: Mapping[str, Any]) -> dict[str, float | None]:
    lists = {name: values for name, values in seconds.items() if isinstance(values, list)}
    return {f"median_{name}": statistics.median(values) if values else None for name, values in lists.items()}


def _seconds(start: float, end: float) -> float:
    return (end - start) / 1000


def _in_turn(ways: list[str], round_number: int) -> list[str]:
    """The order of the ways to draw in each round; it is reversed in every other round."""
    return ways[::-1] if round_number % 2 else ways


def _button(page: Page, name: str) -> Locator:
    return page.locator(".jp-OutputArea button", has_text=name)


def _choose(page: Page, way: str, mode: str) -> None:
    """Make drags pan the chart; in jupyter-scatter they do so from the start."""
    if way not in NEEDS:
        tool = page.locator(f".lgq-toolbar button[data-tool={mode}]").first
        if tool.get_attribute("aria-pressed") != "true":
            tool.click()
    elif mode == "lasso":
        _button(page, mode).click()
    page.wait_for_timeout(QUIET)


def _box(surface: Locator) -> FloatRect:
    box = surface.bounding_box()
    assert box is not None
    return box


def _drag(page: Page, box: FloatRect) -> None:
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + DRAG[0], y + DRAG[1], steps=DRAG_STEPS)
    page.mouse.move(x, y, steps=DRAG_STEPS)
    page.mouse.up()


def _draw_lasso(page: Page, box: FloatRect) -> None:
    """A rhomb around the middle, half as wide and high as the map."""
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    across, down = box["width"] / 4, box["height"] / 4
    page.mouse.move(x - across, y)
    page.mouse.down()
    for right, below in ((0, -1), (1, 0), (0, 1), (-1, 0)):
        page.mouse.move(x + right * across, y + below * down, steps=5)
    page.mouse.up()


def _wait_for_json(path: Path) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE / 1000
    while not path.exists():
        if time.monotonic() > deadline:
            raise RuntimeError("a lasso was drawn, and no selection reached the kernel")
        time.sleep(POLL / 1000)
    content: dict[str, Any] = json.loads(path.read_bytes())
    return content
