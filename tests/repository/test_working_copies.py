"""Are the notebooks that readers run copies, which follow the originals and keep what a reader wrote?"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from notebooks.working_copies import COPIES, ORIGINALS, update

ROOT = Path(__file__).parents[2]


@pytest.fixture
def originals(tmp_path: Path) -> Path:
    folder = tmp_path / "notebooks"
    folder.mkdir()
    write(folder / "01_first.ipynb", "1 + 1")
    write(folder / "02_second.ipynb", "2 + 2")
    return folder


def write(path: Path, *cells: str) -> None:
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells]), path)


def cells_of(path: Path) -> list[str]:
    return ["".join(cell["source"]) for cell in json.loads(path.read_text())["cells"]]


def write_a_cell(copy: Path, source: str) -> None:
    notebook = nbformat.read(copy, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(source))
    nbformat.write(notebook, copy)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_copies_are_made_once_and_hold_what_the_originals_hold(originals: Path, tmp_path: Path) -> None:
    copies = tmp_path / "data" / "copies"
    assert update(originals, copies) == []
    assert names_in(copies) == ["01_first.ipynb", "02_second.ipynb"]
    assert cells_of(copies / "01_first.ipynb") == ["1 + 1"]
    made = (copies / "01_first.ipynb").stat()
    assert update(originals, copies) == []
    assert (copies / "01_first.ipynb").stat() == made


def test_a_copy_that_was_only_run_follows_its_original(originals: Path, tmp_path: Path) -> None:
    copies = tmp_path / "copies"
    update(originals, copies)
    run = nbformat.read(copies / "01_first.ipynb", as_version=4)
    NotebookClient(run).execute()
    nbformat.write(run, copies / "01_first.ipynb")
    update(originals, copies)
    assert json.loads((copies / "01_first.ipynb").read_text())["cells"][0]["outputs"], "what it has put out stays"
    write(originals / "01_first.ipynb", "1 + 1", "3 + 3")
    assert update(originals, copies) == []
    assert cells_of(copies / "01_first.ipynb") == ["1 + 1", "3 + 3"]
    assert names_in(copies) == ["01_first.ipynb", "02_second.ipynb"]


def test_what_a_reader_wrote_stays_and_the_newer_notebook_lies_beside_it(originals: Path, tmp_path: Path) -> None:
    copies = tmp_path / "copies"
    update(originals, copies)
    write_a_cell(copies / "01_first.ipynb", "'mine'")
    assert update(originals, copies) == []
    write(originals / "01_first.ipynb", "1 + 2")
    (said,) = update(originals, copies)
    assert said == (
        "01_first.ipynb has changed. You changed your copy, so it stays; the newer one is 01_first.newer.ipynb."
    )
    assert cells_of(copies / "01_first.ipynb") == ["1 + 1", "'mine'"]
    assert cells_of(copies / "01_first.newer.ipynb") == ["1 + 2"]
    assert update(originals, copies) == [], "it is said once"
    write_a_cell(copies / "01_first.newer.ipynb", "'mine, too'")
    (copies / "02_second.ipynb").write_text("a reader's own, and no notebook")
    write(originals / "01_first.ipynb", "1 + 3")
    assert len(update(originals, copies)) == 2
    assert cells_of(copies / "01_first.newer.ipynb") == ["1 + 2", "'mine, too'"]
    assert cells_of(copies / "01_first.newer-2.ipynb") == ["1 + 3"]
    assert (copies / "02_second.ipynb").read_text() == "a reader's own, and no notebook"


def test_a_copy_brought_up_to_date_by_hand_is_left_alone(originals: Path, tmp_path: Path) -> None:
    copies = tmp_path / "copies"
    update(originals, copies)
    write_a_cell(copies / "01_first.ipynb", "3 + 3")
    write(originals / "01_first.ipynb", "1 + 1", "3 + 3")
    assert update(originals, copies) == []
    assert names_in(copies) == ["01_first.ipynb", "02_second.ipynb"]


def test_git_ignores_the_copies_and_make_opens_them() -> None:
    copies = [str(COPIES / path.name) for path in ORIGINALS.glob("*.ipynb")]
    ignored = subprocess.run(["git", "check-ignore", *copies], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ignored.stdout.splitlines() == copies
    lab = subprocess.run(["make", "--dry-run", "lab"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert lab.index("-m notebooks.working_copies") < lab.index("/lab/tree/data/notebooks/01_train_lgq.ipynb")


def test_links_between_notebooks_lead_to_copies() -> None:
    """A copy lies elsewhere than its original: links to anything but notebooks beside it would lead nowhere."""
    texts = [cell for path in ORIGINALS.glob("*.ipynb") for cell in cells_of(path)]
    links = {link.split(")")[0] for text in texts for link in text.split("](")[1:]}
    beside = {link for link in links if not link.startswith(("http", "#"))}
    assert beside
    assert all((ORIGINALS / link).suffix == ".ipynb" and "/" not in link for link in beside)
