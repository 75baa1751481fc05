"""Copies of the notebooks to run and change, so that the checkout stays as it was pulled.

``python -m notebooks.working_copies`` makes them in data/notebooks, which git ignores. A copy in which no cell was
changed is replaced when its notebook has changed; one in which a reader wrote stays, and the newer one lies beside it.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lgq_explore.files import whole_file

ORIGINALS = Path(__file__).parent
COPIES = ORIGINALS.parent / "data" / "notebooks"
MADE_FROM = "lgq_explore_made_from"
"""Where a copy's metadata says what its notebook held when it was made."""


def update(originals: Path = ORIGINALS, copies: Path = COPIES) -> list[str]:
    """Make or renew the copies of a folder's notebooks. Returns a sentence for each that lies beside a reader's own."""
    copies.mkdir(parents=True, exist_ok=True)
    said = []
    for original in sorted(originals.glob("*.ipynb")):
        notebook = json.loads(original.read_bytes())
        place = _place_for(original.stem, copies, _digest(notebook))
        if place is None:
            continue
        notebook["metadata"][MADE_FROM] = _digest(notebook)
        with whole_file(place) as target:
            target.write((json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode())
        if place.stem != original.stem:
            said.append(
                f"{original.name} has changed. You changed your copy, so it stays; the newer one is {place.name}."
            )
    return said


def _place_for(stem: str, copies: Path, wanted: str) -> Path | None:
    """Where a notebook's copy goes; None where the copy that a reader has is of that notebook already."""
    for place in _places(stem, copies):
        if not place.exists():
            return place
        made_from, holds = _told_by(place)
        if wanted in (made_from, holds):
            return None
        if made_from == holds:
            return place
    raise AssertionError("there is always another place")


def _places(stem: str, copies: Path) -> Iterator[Path]:
    yield copies / f"{stem}.ipynb"
    yield copies / f"{stem}.newer.ipynb"
    number = 2
    while True:
        yield copies / f"{stem}.newer-{number}.ipynb"
        number += 1


def _told_by(copy: Path) -> tuple[str | None, str]:
    """What a copy was made from, and what it holds now; a file that can't be read is a reader's own."""
    try:
        notebook = json.loads(copy.read_bytes())
        return notebook["metadata"].get(MADE_FROM), _digest(notebook)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None, ""


def _digest(notebook: dict[str, Any]) -> str:
    """A digest of what the cells of a notebook say, whatever they have put out."""
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in notebook["cells"]]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()[:16]


if __name__ == "__main__":
    for sentence in update():
        print(sentence, file=sys.stderr)
