"""Files that a panel gives away: figures for papers, tables of numbers, the data behind a figure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

import pandas as pd
from matplotlib.figure import Figure

from lgq_explore.plots.paper import Width

from .tables import as_read

FIGURE_FORMATS: dict[str, tuple[str, Width]] = {
    "figure, PNG": ("png", "screen"),
    "figure, SVG": ("svg", "screen"),
    "figure, PDF": ("pdf", "screen"),
    "figure for a column, PDF": ("pdf", "column"),
    "figure for two columns, PDF": ("pdf", "text"),
}
"""Ending and width of each kind of figure."""
LATEX_FORMAT = "numbers, LaTeX"
DATA_FORMAT = "data, CSV"
NUMBER_FORMATS = ("numbers, CSV", LATEX_FORMAT, DATA_FORMAT)
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

EXACT = 2.0**53
"""Up to here, floating point tells whole numbers apart."""

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
    """What a panel has to give at the moment.

    numbers: those of its short table, in full and in named columns, for programs. data: what is behind the figure,
    which a panel may lack. printed: the short table as a reader sees it, for papers; without it the numbers are a list
    of names and values, which is rounded (`tables.numbers_in_full`).
    """

    stem: str
    numbers: Callable[[], pd.DataFrame]
    data: Callable[[], pd.DataFrame]
    figure: Callable[[Width], Figure] | None = None
    printed: Callable[[], pd.DataFrame] | None = None

    def prepare(self, kind: str) -> Callable[[], SavedFile]:
        """What makes the file of one of FORMATS, of the state of this moment, in any thread."""
        if kind in FIGURE_FORMATS and self.figure is not None:
            ending, width = FIGURE_FORMATS[kind]
            figure, what = self.figure(width), "" if width == "screen" else f"-{width}"
            return lambda: self._file(what, ending, _figure_bytes(figure, ending))
        if kind == LATEX_FORMAT:
            printed = as_read(self.numbers()) if self.printed is None else self.printed()
            return lambda: self._file("-numbers", "tex", as_latex(printed).encode())
        what, table = ("-data", self.data()) if kind == DATA_FORMAT else ("-numbers", self.numbers())
        return lambda: self._file(what, "csv", as_csv(table).encode())

    def _file(self, what: str, ending: str, data: bytes) -> SavedFile:
        return SavedFile(f"{self.stem}{what}.{ending}", MEDIA_TYPES[ending], data)


def as_csv(table: pd.DataFrame) -> str:
    """The columns under their names. Numbers stand in full; whole ones have no decimal point, also beside missing."""
    whole = {name: "Int64" for name in table if _is_whole(table[name])}
    return table.astype(whole).to_csv(index=False)


def _is_whole(column: pd.Series) -> bool:
    """Whether it is of floating point, although all that it holds are whole numbers, which it can tell apart."""
    if not pd.api.types.is_float_dtype(column) or column.isna().all():
        return False
    values = column.dropna()
    return bool(((values.abs() < EXACT) & (values % 1 == 0)).all())


def as_latex(numbers: pd.DataFrame) -> str:
    """A table for the package booktabs, with formulas for Greek letters and signs.

    A wide one whose rows have names is turned.
    """
    is_named = not isinstance(numbers.index, pd.RangeIndex)
    is_turned = is_named and numbers.shape[1] > max(MOST_COLUMNS, len(numbers))
    shown = numbers.T if is_turned else numbers
    formats = "".join("r" if _are_numbers(shown.iloc[:, place]) else "l" for place in range(shown.shape[1]))
    table = shown.rename_axis(None).to_latex(escape=True, index=is_named, column_format="l" * is_named + formats)
    return "% \\usepackage{booktabs}\n" + "".join(LATEX_SIGNS.get(sign, sign) for sign in table)


def _are_numbers(column: pd.Series) -> bool:
    """Whether all values that are there begin with a digit, as numbers that are written with a unit do."""
    return bool(column.astype(str).str.match(r"\s*([-\u2212≥]?\s*(\d|nan)|$)").all())


def _figure_bytes(figure: Figure, ending: str) -> bytes:
    target = BytesIO()
    figure.savefig(target, format=ending, dpi=DOTS_PER_INCH, facecolor="white")
    return target.getvalue()
