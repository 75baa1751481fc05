"""Tests of executing and saving notebooks."""

from __future__ import annotations

import json
from base64 import b64decode
from io import BytesIO
from pathlib import Path

import nbformat
import pytest
from PIL import Image

from lgq_explore.widgets.parts.frame.presence import HOW_TO_MAKE_IT_LIVE
from notebooks.bake import LARGEST_BYTES, WIDGET_STATE, WIDGET_VIEW, main

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


BAR = """
from lgq_explore.progress import Progress

with Progress("training", 2, "steps") as bar:
    bar.advance(2)
"""


def title_of(picture: str) -> str:
    """The title in the file of a picture, a PNG in base64."""
    return Image.open(BytesIO(b64decode(picture))).text["Title"]


def write_notebook(path: Path, *cells: str) -> Path:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
    notebook.cells[0].metadata["tags"] = ["nbval-ignore-output"]
    nbformat.write(notebook, path)
    return path


def test_a_notebook_is_executed_and_reads_the_same_every_time(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "n.ipynb", "import ipywidgets", "ipywidgets.IntSlider(3)", "6 * 7", BAR)
    assert main([str(path)]) == 0
    first = json.loads(path.read_text())
    assert first["cells"][2]["outputs"][0]["data"]["text/plain"] == ["42"]
    assert first["cells"][3]["outputs"] == [], "a bar says how fast this machine was"
    assert "widgets" not in first["metadata"]
    assert first["cells"][0]["metadata"] == {"tags": ["nbval-ignore-output"]}
    path.write_text(json.dumps({**first, "metadata": {"language_info": {"name": "python", "version": "3.99"}}}))
    assert main([str(path)]) == 0
    again = json.loads(path.read_text())
    for notebook in (first, again):  # a slider has no picture, so its view stays, and its identity is random
        del notebook["cells"][1]["outputs"][0]["data"][WIDGET_VIEW]
    assert again == first


PANEL = """
from lgq_explore.plots.printing import new_figure
from lgq_explore.widgets.panel import Panel

class Named(Panel):
    def __init__(self, name):
        self.called = name
        super().__init__([])

    def __repr__(self):
        return f"Named({self.called})"

    def line(self):
        return "87 % used"

    def figures(self):
        return [new_figure(2, 1)]

Named("<first>")
"""


@pytest.mark.slow
def test_a_panel_leaves_its_picture_a_view_and_a_line_for_readers_without_a_kernel(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "n.ipynb", PANEL, "Named('second')")
    assert main([str(path)]) == 0
    baked = path.read_text()
    notebook = json.loads(baked)
    picture, view = notebook["cells"][0]["outputs"]
    assert set(picture["data"]) == {"image/png", "text/plain"}
    assert view["data"][WIDGET_VIEW]["model_id"] == "panel-1"
    assert notebook["cells"][1]["outputs"][1]["data"][WIDGET_VIEW]["model_id"] == "panel-2"
    state = notebook["metadata"]["widgets"][WIDGET_STATE]["state"]
    assert state.keys() == {"panel-1", "panel-2"}
    assert "Named(&lt;first&gt;): 87 % used · run this cell to make it live" in state["panel-1"]["state"]["value"]
    assert main([str(path)]) == 0
    assert path.read_text() == baked, "nothing in it is random"


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("import sys; print('careful', file=sys.stderr)", "writes to stderr: careful"),
        ("import sys; print(sys.prefix + '/lib')", "a folder of this machine"),
        (f"print('x' * {LARGEST_BYTES})", "more than 1,000,000"),
    ],
)
def test_a_notebook_that_does_not_bake_stays_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], cell: str, told: str
) -> None:
    path = write_notebook(tmp_path / "n.ipynb", cell)
    before = path.read_bytes()
    assert main([str(path)]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert len(error.strip().splitlines()) <= 2
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_no_notebook_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "n.ipynb"
    path.write_text("no JSON")
    assert main([str(path)]) == 2
    assert main([str(tmp_path / "missing.ipynb")]) == 2
    assert "n.ipynb can't be read as a notebook" in capsys.readouterr().err


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_committed_notebooks_are_small_executed_and_hold_pictures(path: Path) -> None:
    notebook = json.loads(path.read_text())
    assert path.stat().st_size < LARGEST_BYTES
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["execution_count"] for cell in code)
    outputs = [output for cell in code for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    kept = notebook["metadata"].get("widgets", {WIDGET_STATE: {"state": {}}})[WIDGET_STATE]["state"]
    assert len(json.dumps(kept)) < 10_000, "states of widgets are left out"
    views = [place for place, output in enumerate(outputs) if WIDGET_VIEW in output.get("data", {})]
    assert kept.keys() == {outputs[place]["data"][WIDGET_VIEW]["model_id"] for place in views}
    for place in views:
        picture, view = outputs[place - 1]["data"], outputs[place]["data"]
        assert view["text/plain"] == [f"{picture['text/plain'][0]} · {HOW_TO_MAKE_IT_LIVE}"]
        name = picture["text/plain"][0]
        # A table's picture is text.
        assert f'data-panel="{name}"' in "".join(picture.get("text/html", "")) or title_of(picture["image/png"]) == name
    assert not [cell for cell in code if "def " in "".join(cell["source"])], "cells call, and never define"


def test_there_are_notebooks() -> None:
    assert [path.name for path in NOTEBOOKS][:1] == ["01_train_lgq.ipynb"]
