"""The list of photographs of the comparison: name, hash and part of each, as CSV.

``python -m benchmarks.headline.manifest --data folder:PATH`` writes ``benchmarks/headline/manifest.csv``;
``--check`` compares a folder with it instead. Pictures are never written.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from lgq_explore.errors import InputError, printable
from lgq_explore.files import whole_file
from lgq_explore.images.division import HELD_OUT, TRAINING, VALIDATION, Division
from lgq_explore.images.opening import open_source
from lgq_explore.images.photographs import PhotographSource

from .protocol import HERE, largest_size, registered_sweep

FILE = HERE / "manifest.csv"
COLUMNS = ("photograph", "sha256", "part")
UNUSED = "unused"
"""The part of files that give no picture of the image size."""


@dataclass(frozen=True)
class Entry:
    """A photograph: its path in the folder, SHA-256 (hexadecimal) of its file, and its part, or UNUSED."""

    photograph: str
    sha256: str
    part: str


def entries(folder: Path, image_size: int, division: Division) -> list[Entry]:
    """The photographs of a folder, sorted by name, as a sweep divides them. Raises InputError."""
    source = open_source(f"folder:{folder}", image_size, division=division)
    with closing(source):
        if not isinstance(source, PhotographSource):
            raise InputError(f"{printable(folder)} is no folder of photographs: give folder:PATH")
        parts = dict.fromkeys(source.training.names, TRAINING)
        parts |= dict.fromkeys(source.validation.names, VALIDATION)
        parts |= dict.fromkeys(source.evaluation.names, HELD_OUT)
        parts |= {skipped.name: UNUSED for skipped in source.skipped}
    return [
        Entry(name, hashlib.sha256((folder / name).read_bytes()).hexdigest(), parts[name]) for name in sorted(parts)
    ]


def manifest(found: Sequence[Entry]) -> str:
    """The content of the file."""
    target = io.StringIO(newline="")
    rows = csv.writer(target, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows((entry.photograph, entry.sha256, entry.part) for entry in found)
    return target.getvalue()


def read_manifest(path: Path = FILE) -> list[Entry]:
    """The entries of a file that `manifest` gave."""
    with path.open(newline="") as source:
        return [Entry(*row) for row in list(csv.reader(source))[1:]]


def differences(found: Sequence[Entry], listed: Sequence[Entry]) -> list[str]:
    """What differs between a folder and the list, a line for each photograph; empty if nothing does."""
    here, there = ({entry.photograph: entry for entry in each} for each in (found, listed))
    lines = []
    for name in sorted(here.keys() | there.keys()):
        if name not in here:
            lines.append(f"{name} is listed and missing")
        elif name not in there:
            lines.append(f"{name} is not listed")
        elif here[name].sha256 != there[name].sha256:
            lines.append(f"{name} is another file than the listed one")
        elif here[name].part != there[name].part:
            lines.append(f"{name} is in {here[name].part}, and listed in {there[name].part}")
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.headline.manifest", description=__doc__)
    parser.add_argument("--data", required=True, metavar="folder:PATH", help="the photographs")
    parser.add_argument("--check", action="store_true", help="compare them with the list, and write nothing")
    options = parser.parse_args(arguments)
    kind, _, path = options.data.partition(":")
    try:
        if kind != "folder":
            raise InputError(f"--data is {options.data!r}: give folder:PATH")
        sweep = registered_sweep()
        recipe = sweep.recipe(next(iter(sweep.methods.values())), largest_size(sweep), {}, seed=0)
        found = entries(Path(path).expanduser(), recipe.image_size, recipe.split)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    if options.check:
        told = differences(found, read_manifest())
        print("\n".join(told) or "the photographs are those of the list")
        return 1 if told else 0
    with whole_file(FILE) as target:
        target.write(manifest(found).encode())
    print(FILE.name, dict(Counter(entry.part for entry in found)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
