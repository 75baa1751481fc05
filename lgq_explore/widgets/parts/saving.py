"""Files that a panel gives away: figures for papers, tables of numbers, the data behind a figure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

import pandas as pd
from matplotlib.figure import Figure

from lgq_explore.plots.paper import Width

FIGURE_FORMATS: dict[str, tuple[str, Width]] = {
    "figure, PNG": ("png", "screen"),
    "figure, SVG": ("svg", "screen"),
    "figure, PDF": ("pdf", "screen"),
    "figure for a column, PDF": ("pdf", "column"),
    "figure for two columns, PDF": ("pdf", "text"),
}
"""Ending and width of each kind of figure."""
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

MOST_COLUMNS = 6
"""Columns of numbers that fit a page."""
LATEX_SIGNS = {
    "τ": r"$\tau$",
    "σ": r"$\sigma$",
    "Δ": r"$\Delta$",
    "π": r"$\pi$",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "−": "$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "≈": r"$\approx$",
    "²": "$^2$",
    "³": "$^3$",
    "→": r"$\to$",
    "÷": r"$\div$",
    "√": r"$\surd$",
    "∞": r"$\infty$",
    "…": r"\ldots{}",
    "–": "--",
    "—": "---",
    "’": "'",
    "✓": r"$\surd$",
    "✖": r"$\times$",
    "▲": r"$\triangle$",
    "\N{NO-BREAK SPACE}": "~",
}
"""Signs that LaTeX has by other names; the rest is left as it is."""


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
    figure: Callable[[Width], Figure] | None = None

    def prepare(self, kind: str) -> Callable[[], SavedFile]:
        """What makes the file of one of FORMATS, of the state of this moment, in any thread."""
        if kind in FIGURE_FORMATS and self.figure is not None:
            ending, width = FIGURE_FORMATS[kind]
            figure, what = self.figure(width), "" if width == "screen" else f"-{width}"
            return lambda: self._file(what, ending, _figure_bytes(figure, ending))
        if kind in TABLE_FORMATS:
            ending, numbers = TABLE_FORMATS[kind], self.numbers()
            return lambda: self._file("-numbers", ending, (as_csv if ending == "csv" else as_latex)(numbers).encode())
        data = self.data()
        return lambda: self._file("-data", "csv", data.to_csv(index=False).encode())

    def _file(self, what: str, ending: str, data: bytes) -> SavedFile:
        return SavedFile(f"{self.stem}{what}.{ending}", MEDIA_TYPES[ending], data)


def as_csv(numbers: pd.DataFrame) -> str:
    """The numbers with the names of their rows."""
    return numbers.to_csv()


def as_latex(numbers: pd.DataFrame) -> str:
    """A table for the package booktabs, with formulas for Greek letters and signs. A wide one is turned."""
    shown = numbers.T if numbers.shape[1] > max(MOST_COLUMNS, len(numbers)) else numbers
    formats = "".join("r" if _are_numbers(shown.iloc[:, place]) else "l" for place in range(shown.shape[1]))
    is_named = not isinstance(shown.index, pd.RangeIndex)
    table = shown.rename_axis(None).to_latex(escape=True, index=is_named, column_format="l" * is_named + formats)
    return "% \\usepackage{booktabs}\n" + "".join(LATEX_SIGNS.get(sign, sign) for sign in table)


def _are_numbers(column: pd.Series) -> bool:
    """Whether all values begin with a digit, as numbers that are written with a unit do."""
    return bool(column.astype(str).str.match(r"\s*[-\u2212≥]?\s*(\d|nan)").all())


def _figure_bytes(figure: Figure, ending: str) -> bytes:
    target = BytesIO()
    figure.savefig(target, format=ending, dpi=DOTS_PER_INCH, facecolor="white")
    return target.getvalue()
