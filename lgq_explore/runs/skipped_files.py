"""The list of the files that gave no picture while a run trained."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

from lgq_explore.files import whole_file
from lgq_explore.images.source import Skipped


def write_skipped(path: Path, skipped: Sequence[Skipped]) -> None:
    """Write a table with the columns `file` and `why`. Raises OSError."""
    table = StringIO(newline="")
    rows = csv.writer(table)
    rows.writerow(("file", "why"))
    rows.writerows((file.name, file.why) for file in skipped)
    with whole_file(path) as target:
        # File names that are not valid UTF-8 contain surrogates, which strict encoding refuses.
        target.write(table.getvalue().encode(errors="surrogateescape"))
