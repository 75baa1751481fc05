"""Measure panels, and a map of a large codebook drawn in two ways, in a real browser.

    python -m benchmarks.browser [--codebook-size 16384] [--tokens 20000] [--moves 20] [--rounds 5] [--data photos]

The result is saved as dated JSON in `benchmarks/results/`, and printed as a table, or as JSON with --json.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .command import FOLDER, measure_and_save, tell
from .explorers import BrowserSizes, measure_browser
from .table import markdown_table


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and save the result; returns 2 with a message on stderr for unusable input."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.browser", description=__doc__.splitlines()[0])
    defaults = BrowserSizes()
    parser.add_argument("--codebook-size", type=int, default=defaults.codes, metavar="K", help="codes")
    parser.add_argument("--tokens", type=int, default=defaults.tokens, metavar="N", help="tokens on the map")
    parser.add_argument("--moves", type=int, default=defaults.moves, metavar="N", help="of the temperature")
    parser.add_argument("--rounds", type=int, default=defaults.rounds, metavar="N", help="of the map, in turn")
    parser.add_argument("--data", default=defaults.data, metavar="SPEC", help="pictures of the panel")
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="FOLDER", help="for the result")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options = parser.parse_args(arguments)

    def measured() -> dict[str, Any]:
        sizes = BrowserSizes(options.codebook_size, options.tokens, options.moves, options.rounds, options.data)
        return measure_browser(sizes, say=tell)

    return measure_and_save(measured, options.out, json.dumps if options.json else markdown_table)


if __name__ == "__main__":
    sys.exit(main())
