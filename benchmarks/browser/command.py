"""What the commands of this folder have in common: progress and refusals on stderr, the result saved and printed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lgq_explore.bench.results import results_folder, save_result
from lgq_explore.errors import InputError, printable

FOLDER = Path(__file__).parents[1] / "results"
"""Where results are saved by default."""


def tell(sentence: str) -> None:
    """Progress on stderr, seen at once."""
    print(printable(sentence), file=sys.stderr, flush=True)


def measure_and_save(
    measure: Callable[[], dict[str, Any]], folder: Path, shown: Callable[[dict[str, Any]], str]
) -> int:
    """Measure, save the result as dated JSON in `folder`, print it as `shown` says, and return 0.

    Unusable input, which raises InputError, is told on stderr: 2 is returned then, and nothing is saved.
    """
    try:
        results_folder(folder)
        measured = measure()
        tell(str(save_result(measured, folder)))
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    print(shown(measured))
    return 0
