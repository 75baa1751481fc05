"""Tests of executing and saving notebooks."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest

from notebooks.bake import LARGEST_BYTES, WIDGET_VIEW, main

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def write_notebook(path: Path, *cells: str) -> Path:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
    notebook.cells[0].metadata["tags"] = ["nbval-ignore-output"]
    nbformat.write(notebook, path)
    return path


def test_a_notebook_is_executed_and_reads_the_same_every_time(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "n.ipynb", "import ipywidgets", "ipywidgets.IntSlider(3)", "6 * 7")
    assert main([str(path)]) == 0
    first = json.loads(path.read_text())
    assert first["cells"][2]["outputs"][0]["data"]["text/plain"] == ["42"]
    assert "widgets" not in first["metadata"]
    assert first["cells"][0]["metadata"] == {"tags": ["nbval-ignore-output"]}
    path.write_text(json.dumps({**first, "metadata": {"language_info": {"name": "python", "version": "3.99"}}}))
    assert main([str(path)]) == 0
    again = json.loads(path.read_text())
    for notebook in (first, again):  # a slider has no picture, so its view stays, and its identity is random
        del notebook["cells"][1]["outputs"][0]["data"][WIDGET_VIEW]
    assert again == first


def test_where_there_is_a_picture_the_dead_view_is_left_out(tmp_path: Path) -> None:
    bundle = f"{{'image/png': 'AAAA', 'text/plain': 'panel', '{WIDGET_VIEW}': {{'model_id': 'x'}}}}"
    path = write_notebook(tmp_path / "n.ipynb", f"from IPython.display import display\ndisplay({bundle}, raw=True)")
    assert main([str(path)]) == 0
    (output,) = json.loads(path.read_text())["cells"][0]["outputs"]
    assert set(output["data"]) == {"image/png", "text/plain"}


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
    assert "widgets" not in notebook["metadata"]
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["execution_count"] for cell in code)
    outputs = [output for cell in code for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not [cell for cell in code if "def " in "".join(cell["source"])], "cells call, and never define"


def test_there_are_notebooks() -> None:
    assert [path.name for path in NOTEBOOKS][:1] == ["01_train_lgq.ipynb"]
