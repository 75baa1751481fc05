"""`python -m benchmarks.headline`: RESULTS.md and its figure, from the committed summaries."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lgq_explore.errors import InputError
from lgq_explore.files import whole_file

from .figures import rate_distortion_png
from .page import FIGURE, page, read_results

PAGE = "RESULTS.md"


def write(root: Path) -> list[Path]:
    """Write the page of a working copy, and its figure if there are cells; returns the files.

    Raises InputError for summaries that don't belong together.
    """
    results = read_results(root / "benchmarks" / "headline")
    files = {root / PAGE: page(results).encode()}
    if results.cells:
        files[root / FIGURE] = rate_distortion_png(results.cells)
    for path, content in files.items():
        with whole_file(path) as target:
            target.write(content)
    return list(files)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.headline", description=__doc__)
    parser.add_argument("root", nargs="?", type=Path, default=Path(), help="the working copy (default: here)")
    try:
        for path in write(parser.parse_args(arguments).root):
            print(path)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
