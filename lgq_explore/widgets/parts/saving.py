"""Files that a panel gives away: figures for papers, tables of numbers, the data behind a figure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

import pandas as pd
from matplotlib.figure import Figure

FIGURE_FORMATS = {"figure, PNG": "png", "figure, SVG": "svg", "figure, PDF": "pdf"}
TABLE_FORMATS = {"numbers, CSV": "csv", "numbers, LaTeX": "tex"}
DATA_FORMAT = "data, CSV"
NUMBER_FORMATS = (*TABLE_FORMATS, DATA_FORMAT)
FORMATS = (*FIGURE_FORMATS, *NUMBER_FORMATS)
"""What can be saved, as a menu says it. The numbers are a panel's short table; the data has a row for each point."""

MEDIA_TYPES = {
    "png": "image/png",
    "svg": "image/svg+xml",
    "pdf": "application/pdf",
    "csv": "text/csv",
    "tex": "application/x-tex",
}
DOTS_PER_INCH = 300


@dataclass(frozen=True)
class SavedFile:
    """A file's name, what it is, and its bytes."""

    name: str
    media_type: str
    data: bytes


def file_stem(text: str) -> str:
    """A file's name without its ending, of letters, digits and hyphens, after the words of a text."""
    return re.sub(r"[^\w.]+", "-", text).strip("-")


@dataclass(frozen=True)
class Offered:
    """What a panel has to give at the moment: its short table of numbers, the data, and a figure where it has one."""

    stem: str
    numbers: Callable[[], pd.DataFrame]
    data: Callable[[], pd.DataFrame]
    figure: Callable[[], Figure] | None = None

    def save(self, kind: str) -> SavedFile:
        """The file of one of FORMATS."""
        if kind in FIGURE_FORMATS and self.figure is not None:
            ending = FIGURE_FORMATS[kind]
            return self._file("", ending, _figure_bytes(self.figure(), ending))
        if kind in TABLE_FORMATS:
            ending, numbers = TABLE_FORMATS[kind], self.numbers()
            text = numbers.to_csv() if ending == "csv" else numbers.to_latex(escape=True)
            return self._file("-numbers", ending, text.encode())
        return self._file("-data", "csv", self.data().to_csv(index=False).encode())

    def _file(self, what: str, ending: str, data: bytes) -> SavedFile:
        return SavedFile(f"{self.stem}{what}.{ending}", MEDIA_TYPES[ending], data)


def _figure_bytes(figure: Figure, ending: str) -> bytes:
    target = BytesIO()
    figure.savefig(target, format=ending, dpi=DOTS_PER_INCH, bbox_inches="tight", facecolor="white")
    return target.getvalue()
