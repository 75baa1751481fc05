"""Notebooks executed and saved with outputs that read well where nothing runs.

``python -m notebooks.bake notebooks/*.ipynb`` executes each notebook and saves it with the pictures of its
panels, without what changes from run to run, and below the size that stays readable on the web.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from lgq_explore.errors import InputError
from lgq_explore.files import whole_file
from lgq_explore.progress import IN_A_CELL

LARGEST_BYTES = 1_000_000
CELL_SECONDS = 600
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"


def bake(path: Path) -> None:
    """Execute a notebook in its own folder and save it in place; it stays as it was where anything goes wrong.

    Raises InputError for a file that is no notebook, a cell that fails or warns, and an output that names a folder of
    this machine or makes the file larger than LARGEST_BYTES.
    """
    notebook = _read(path)
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name=KERNEL["name"],
        resources={"metadata": {"path": str(path.resolve().parent)}},
    )
    try:
        client.execute()
    except CellExecutionError as error:
        raise InputError(f"{path}: a cell fails with {error.ename}: {error.evalue.splitlines()[0]}") from error
    normalize(notebook)
    _check_outputs(path, notebook)
    content = (nbformat.writes(notebook, version=4) + "\n").encode()
    if len(content) > LARGEST_BYTES:
        raise InputError(
            f"{path} would be {len(content):,} bytes, more than {LARGEST_BYTES:,}.\n"
            "Draw fewer points, or smaller pictures."
        )
    with whole_file(path) as target:
        target.write(content)


def normalize(notebook: NotebookNode) -> None:
    """Drop what differs between two runs or machines and nobody reads: widget states, progress, versions, counters.

    Of a panel's state one line of text stays, which stands in the place of its view where no kernel runs.
    """
    for cell in _code_cells(notebook):
        cell.outputs = [output for output in cell.outputs if IN_A_CELL not in output.get("metadata", {})]
    states = notebook.metadata.get("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
    notebook.metadata = NotebookNode(kernelspec=KERNEL, language_info={"name": "python"})
    keep_lines(notebook, saved_lines(states))
    for number, cell in enumerate(_code_cells(notebook), start=1):
        cell.metadata = NotebookNode({"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {})
        cell.execution_count = number
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = number


def saved_lines(states: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of each panel, by its model's id, of the states of all widgets (`widgets.parts.presence`)."""
    told = [model["state"] for model in states.values() if "saved" in model["state"]]
    return {state["panel"]: state["saved"] for state in told if state["saved"]}


def keep_lines(notebook: NotebookNode, lines: Mapping[str, Any]) -> None:
    """Keep these models, by their ids, for the views in the notebook; they are numbered, since ids are random."""
    views = [view for cell in _code_cells(notebook) for output in cell.outputs if (view := _view(output))]
    kept: dict[str, Any] = {}
    for view in views:
        if view["model_id"] in lines:
            name = f"panel-{len(kept) + 1}"
            kept[name], view["model_id"] = lines[view["model_id"]], name
    if kept:
        state = {"state": kept, "version_major": 2, "version_minor": 0}
        notebook.metadata["widgets"] = NotebookNode({WIDGET_STATE: state})


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m notebooks.bake", description="execute notebooks and save them with their outputs"
    )
    parser.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK")
    for path in parser.parse_args(arguments).notebooks:
        started = time.perf_counter()
        try:
            bake(path)
        except InputError as error:
            print(error, file=sys.stderr)
            return 2
        seconds, size = time.perf_counter() - started, path.stat().st_size
        print(f"{path}: {seconds:.0f} s, {size / 1000:.0f} kB", file=sys.stderr)
    return 0


def _read(path: Path) -> NotebookNode:
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except (OSError, ValueError, nbformat.ValidationError) as error:
        raise InputError(f"{path} can't be read as a notebook: {str(error).splitlines()[0]}") from error
    return notebook


def _check_outputs(path: Path, notebook: NotebookNode) -> None:
    here = (str(Path.home()), sys.prefix, str(path.resolve().parent.parent))
    for cell in _code_cells(notebook):
        for output in cell.outputs:
            text = json.dumps(_without_pictures(output))
            if output.get("name") == "stderr":
                raise InputError(f"{path}: a cell writes to stderr: {output.text.strip().splitlines()[-1]}")
            for folder in here:
                if folder + "/" in text:
                    raise InputError(f"{path}: an output names {folder}, a folder of this machine: print its name only")


def _without_pictures(output: NotebookNode) -> dict[str, Any]:
    data = {kind: value for kind, value in output.get("data", {}).items() if not kind.startswith("image/")}
    return {**output, "data": data}


def _view(output: NotebookNode) -> NotebookNode | None:
    """The view of a widget that an output holds."""
    view: NotebookNode | None = output.get("data", {}).get(WIDGET_VIEW)
    return view


def _code_cells(notebook: NotebookNode) -> Iterator[NotebookNode]:
    return (cell for cell in notebook.cells if cell.cell_type == "code")


if __name__ == "__main__":
    sys.exit(main())
