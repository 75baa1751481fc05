"""Is a tutorial that was run, saved and left found again with a picture of each panel, and the checkout clean?"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from benchmarks.browser.page import Lab, jupyterlab
from lgq_explore import widgets
from lgq_explore.widgets.panel import Panel
from lgq_explore.widgets.parts.frame.presence import HOW_TO_MAKE_IT_LIVE
from notebooks.bake import WIDGET_VIEW
from tests.browser.notebook_page import OUTPUTS, SECONDS, NotebookPage, choose, shut_down_kernel, wait_for

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
COPIES = "data/notebooks"
LONGEST_RUN = 1500 * SECONDS
WHOLE = {"@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"}}
"""JupyterLab's setting that keeps all cells in the page, not only those in sight."""

PROMPTS = "[...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].map(prompt => prompt.innerText.trim())"
IS_RUNNING = f"{PROMPTS}.some(prompt => prompt === '[*]:')"
LIVE = "[...document.querySelectorAll('.jp-OutputArea .lgq-panel')].filter(panel => panel.checkVisibility()).length"
FOUND = f"""(says => {OUTPUTS}.flatMap(outputs => outputs.flatMap((view, place) =>
    view.isVisible && view.text.includes(says)
        ? [{{ name: view.text.split(/[(:·]/)[0].trim(), picture: outputs[place - 1] }}]
        : [])))({json.dumps(HOW_TO_MAKE_IT_LIVE)})"""
"""The panels in whose place a line stands: the name it begins with, and the output before it."""

IS_LOST = ("model not found", "Error displaying widget", "Error creating widget")


@dataclass(frozen=True)
class Checkout:
    """A checkout of this project with the copies of its notebooks, open in a JupyterLab."""

    folder: Path
    lab: Lab

    def copy_of(self, name: str) -> Path:
        return self.folder / COPIES / f"{name}.ipynb"

    def address_of(self, name: str) -> str:
        return self.lab.address_of(str(self.copy_of(name).relative_to(self.lab.notebooks)))

    def changes(self) -> str:
        return in_git(self.folder, "status", "--porcelain")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """What `make lab` opens, for all tests of this module: later notebooks find what earlier ones trained."""
    folder = tmp_path_factory.mktemp("tutorials")
    checkout = folder / "notebooks" / "checkout"  # below the server's root
    own = {"PYTHONPATH": str(checkout), "LGQ_EXPLORE_DATA": "", "OMP_NUM_THREADS": "1"}
    with jupyterlab(folder, own) as lab:
        keep_all_cells_in_the_page(folder / "settings")
        copy_tracked_files(checkout)
        make = [sys.executable, "-m", "notebooks.working_copies"]
        subprocess.run(make, cwd=checkout, env={**os.environ, **own}, check=True)
        yield Checkout(checkout, lab)


def copy_tracked_files(to: Path) -> None:
    """The files of this checkout as they are now, committed to a repository of their own."""
    for name in in_git(ROOT, "ls-files", "-z").split("\0"):
        if name and (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to / name)
    in_git(to, "init", "--quiet")
    in_git(to, "add", "--all")
    author = ("-c", "user.name=reader", "-c", "user.email=reader@localhost")
    in_git(to, *author, "commit", "--quiet", "--no-verify", "--no-gpg-sign", "--message", "as it was pulled")


def in_git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def keep_all_cells_in_the_page(settings: Path) -> None:
    for name, values in WHOLE.items():
        target = settings / f"{name}.jupyterlab-settings"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(values))


@pytest.mark.parametrize("name", NAMES)
def test_what_a_notebook_displays_is_saved_with_it(name: str) -> None:
    """As the notebooks come with the checkout; and so the expected panels are not none."""
    notebook = read(ROOT / "notebooks" / f"{name}.ipynb")
    expected = displayed_panels(sources_of(notebook))
    assert expected
    assert [text.split("(")[0] for text in saved_lines(notebook)] == expected


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.timeout(2 * LONGEST_RUN / SECONDS)
@pytest.mark.parametrize("name", NAMES)
def test_a_tutorial_that_was_run_and_left_is_found_again(name: str, checkout: Checkout, page: Page) -> None:
    expected = displayed_panels(sources_of(read(checkout.copy_of(name))))
    notebook = NotebookPage(page)
    notebook.open(checkout.address_of(name))
    assert_found(notebook, expected)  # pictures came with it

    notebook.run_all()
    notebook.wait_until(IS_RUNNING)
    page.wait_for_function(f"!{IS_RUNNING}", timeout=LONGEST_RUN)
    assert_ran(notebook)
    notebook.wait_until(f"{LIVE} === {len(expected)}")
    save(notebook, checkout.copy_of(name), expected)

    shut_down_kernel(notebook)
    notebook.open(checkout.address_of(name))
    assert_found(notebook, expected)
    notebook.picture(f"found_again_{name}.png")

    assert not notebook.errors, "\n".join(notebook.errors)
    assert checkout.changes() == ""


def assert_found(notebook: NotebookPage, expected: Sequence[str]) -> None:
    """In the place of each panel are its picture and a line, and nowhere does JupyterLab miss a widget."""
    notebook.wait_until(f"{FOUND}.filter(panel => panel.picture?.isVisible && panel.picture.width > 100).length > 0")
    found: list[dict[str, Any]] = notebook.page.evaluate(FOUND)
    assert [panel["name"] for panel in found] == list(expected)
    without = [panel for panel in found if not panel["picture"]["isVisible"] or panel["picture"]["width"] <= 100]
    assert without == []
    text = notebook.page.locator(".jp-Notebook").inner_text()
    assert [said for said in IS_LOST if said in text] == []


def assert_ran(notebook: NotebookPage) -> None:
    """Every cell came to its end."""
    told = notebook.page.locator("[data-mime-type='application/vnd.jupyter.error']").all_inner_texts()
    assert told == []
    prompts = notebook.page.evaluate(PROMPTS)
    assert [prompt for prompt in prompts if prompt == "[ ]:"] == []


def save(notebook: NotebookPage, path: Path, expected: Sequence[str]) -> None:
    """Save, and wait until the file is written, with what each of its panels will say."""
    before = path.stat().st_mtime_ns

    def is_written() -> bool:
        try:
            lines = saved_lines(read(path))
        except (ValueError, KeyError):  # the server writes in place, and a panel may tell its line a moment later
            return False
        return path.stat().st_mtime_ns > before and [line.split("(")[0] for line in lines] == list(expected)

    choose(notebook, "File", "Save Notebook")
    wait_for(is_written)


def read(path: Path) -> dict[str, Any]:
    notebook: dict[str, Any] = json.loads(path.read_bytes())
    return notebook


def sources_of(notebook: dict[str, Any]) -> list[str]:
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def saved_lines(notebook: dict[str, Any]) -> list[str]:
    """What the file has for each view of a panel, in the order of the views: its line of text."""
    (held,) = notebook["metadata"]["widgets"].values()
    outputs = [output.get("data", {}) for cell in notebook["cells"] for output in cell.get("outputs", [])]
    views = [data[WIDGET_VIEW] for data in outputs if WIDGET_VIEW in data]
    return [held["state"][view["model_id"]]["state"]["value"].split(">")[1] for view in views]


def displayed_panels(cells: Sequence[str]) -> list[str]:
    """The classes of the panels that these cells display, by their source: what a cell ends with or gives to `display`.

    A panel is what a constructor of `lgq.widgets` makes, a name for that, or a method of it that returns the panel.
    """
    named: dict[str, type[Panel]] = {}
    displayed = []
    for cell in cells:
        statements = ast.parse(cell, mode="exec").body
        for place, statement in enumerate(statements):
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if panel := class_of(value, named):
                    named[name] = panel
                case ast.Expr(value=ast.Call(func=ast.Name(id="display"), args=arguments)):
                    displayed += [class_of(argument, named) for argument in arguments]
                case ast.Expr(value=value) if place == len(statements) - 1:
                    displayed.append(class_of(value, named))
    return [panel.__name__ for panel in displayed if panel is not None]


def class_of(expression: ast.expr, named: dict[str, type[Panel]]) -> type[Panel] | None:
    """The class of the panel that an expression gives; None for anything else."""
    match expression:
        case ast.Name(id=name):
            return named.get(name)
        case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="widgets"), attr=name)):
            made = getattr(widgets, name)
            return made if isinstance(made, type) and issubclass(made, Panel) else None
        case ast.Call(func=ast.Attribute(value=owner, attr=method)):
            panel = class_of(owner, named)
            returned = getattr(panel, method).__annotations__.get("return") if panel else None
            return panel if returned == "Self" else None
    return None
