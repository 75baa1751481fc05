"""The style of printed figures, and how they are made and saved."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import zip_longest
from os import PathLike
from typing import IO, Any

import seaborn
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from lgq_explore.errors import printable

from .paper import (
    BODY_POINTS,
    LEAST_HEIGHT,
    LEAST_PANEL,
    MARGINS,
    Paper,
    finish,
    fitted_size,
    line_inches,
    panel_grid_size,
    present_paper,
    wrapped,
)
from .style import GUIDE, INK, Title, printed_text

TITLE_SIZE = "medium"
"""Of the letters of printed titles."""


@dataclass(frozen=True)
class Palette:
    """Number of colours of a stored picture, and how they are chosen. A palette saves two thirds of the bytes."""

    colours: int
    method: Image.Quantize


RARE_COLOURS = Palette(128, Image.Quantize.MAXCOVERAGE)
"""Keeps rare colours, such as those of the most used codes, among thousands of greys."""

EVEN_COLOURS = Palette(256, Image.Quantize.FASTOCTREE)
"""Keeps colour gradients even."""


@contextmanager
def publication_style() -> Iterator[None]:
    """The house style for seaborn and the figures made in it, for as long as the context lasts.

    matplotlib has one style for all threads: figures are made one after the other, and each restores the style.
    """
    paper = present_paper()
    typography = {"font.family": "sans-serif", "axes.edgecolor": "#888888", "grid.color": "#E6E6E6", "text.color": INK}
    with one_style_at_a_time, seaborn.axes_style("whitegrid", typography), _letters_and_lines(paper):
        begun, _begun[:] = list(_begun), []
        try:
            yield
            for figure in _begun:
                finish(figure, paper)
        finally:
            _begun[:] = begun


def _letters_and_lines(paper: Paper) -> AbstractContextManager[Any]:
    if paper.inches is None:
        return seaborn.plotting_context("notebook", font_scale=0.85)
    small = dict.fromkeys(("xtick.labelsize", "ytick.labelsize", "legend.fontsize"), paper.smallest)
    body = dict.fromkeys(("font.size", "axes.labelsize", "axes.titlesize", "legend.title_fontsize"), BODY_POINTS)
    return seaborn.plotting_context("paper", rc=small | body)


one_style_at_a_time = threading.RLock()
_begun: list[Figure] = []
"""Figures made in the present style, of the thread that has the lock."""

one_drawing_at_a_time = threading.RLock()
"""Formulas are read by one parser for all threads. Figures are made under another lock: a kernel's loop makes some, and
need not wait for a thread that draws."""
FILE_SETTINGS: dict[Any, Any] = {
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "lgq_explore",
}
"""Fonts as TrueType and text as text, which publishers ask for; names in SVG that are the same in every file."""
UNDATED: dict[str, dict[str, Any]] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}


@contextmanager
def _file_settings() -> Iterator[None]:
    """FILE_SETTINGS alone are put back, since another thread may be in the house style meanwhile."""
    with one_drawing_at_a_time:
        before = {name: rcParams[name] for name in FILE_SETTINGS}
        rcParams.update(FILE_SETTINGS)
        try:
            yield
        finally:
            rcParams.update(before)


class PrintedFigure(Figure):
    """A figure that notebooks show as a picture although it is not registered with pyplot."""

    palette: Palette | None = None
    """Palette of the stored picture; None for all colours."""

    def __repr__(self) -> str:
        # Without the size, which changes with the number of lines below a figure.
        return f"PrintedFigure({len(self.axes)} axes)"

    def savefig(self, fname: str | PathLike[Any] | IO[Any], *, transparent: bool | None = None, **kwargs: Any) -> None:
        """As matplotlib does, one figure at a time, with FILE_SETTINGS. The same figure gives the same file."""
        kind = kwargs.get("format") or str(fname).rpartition(".")[2].lower()
        if undated := UNDATED.get(kind, {}) | (kwargs.pop("metadata", None) or {}):
            kwargs["metadata"] = undated
        with _file_settings():
            super().savefig(fname, transparent=transparent, **kwargs)

    def _repr_png_(self) -> bytes:
        target = BytesIO()
        self.savefig(target, format="png")
        return png_bytes(Image.open(target), self.palette) if self.palette else target.getvalue()


def png_bytes(picture: Image.Image, palette: Palette | None = None, about: PngInfo | None = None) -> bytes:
    """A picture as an optimized PNG, with the colours of a palette and words about it if these are given."""
    if palette:
        picture = picture.convert("RGB").quantize(palette.colours, method=palette.method, dither=Image.Dither.NONE)
    target = BytesIO()
    picture.save(target, "PNG", optimize=True, pnginfo=about)
    return target.getvalue()


def new_figure(width: float, height: float, *, rows: int = 1, dpi: int = 110, palette: Palette | None = None) -> Figure:
    """A figure with these rows of panels, size in inches, as wide as the present paper.

    It is not registered with pyplot: it is not shown twice and not kept alive.
    """
    return figure_of_size(*fitted_size(width, height, rows), dpi=dpi, palette=palette)


def figure_of_size(width: float, height: float, *, dpi: int = 110, palette: Palette | None = None) -> Figure:
    """A figure of this very size, which `plots.paper` has fitted to the present paper."""
    figure = PrintedFigure(figsize=(width, height), layout="constrained", dpi=dpi)
    figure.palette = palette
    FigureCanvasAgg(figure)
    _begun.append(figure)
    return figure


def panel_grid(
    panels: int,
    columns: int,
    width: float,
    height: float,
    *,
    least: float = LEAST_PANEL,
    low: float = LEAST_HEIGHT,
    **settings: Any,
) -> tuple[Figure, list[Axes]]:
    """A figure and its panels, row by row, each of this size, in as many of the columns as fit the present paper.

    least, low: width and height in inches that a panel needs. settings: of `figure_of_size`.
    """
    rows, columns, across, up = panel_grid_size(panels, columns, width, height, least, low)
    figure = figure_of_size(across, up, **settings)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for spare in axes[panels:]:
        spare.set_axis_off()
    return figure, axes[:panels]


def publish_title(figure: Figure, title: Title) -> None:
    """The title of a printed figure, on the left as in an interactive one, in as many lines as it needs."""
    words = [(word, True) for word in printable(title.subject).split(" ")]
    words += [(word, False) for word in re.split("(?<!=) (?!=)", printable(title.detail)) if word]
    lines = wrapped(figure, words, TITLE_SIZE, MARGINS * figure.get_figwidth())
    figure.suptitle("\n".join(map(_title_line, lines)), x=0.01, ha="left", fontsize=TITLE_SIZE)
    figure.set_figheight(figure.get_figheight() + line_inches(TITLE_SIZE) * (len(lines) - 1))


def _title_line(words: Sequence[tuple[str, bool]]) -> str:
    bold, plain = (" ".join(word for word, is_bold in words if is_bold == wanted) for wanted in (True, False))
    return "  ".join(part for part in (_bold(bold) if bold else "", printed_text(plain)) if part)


def _bold(text: str) -> str:
    """A sentence in bold for matplotlib, which mixes bold and plain letters in formulas only.

    Characters with a meaning in formulas are left outside, in plain letters. A text with a backslash stays plain.
    """
    if "\\" in text:
        return printed_text(text)
    parts = re.split(r"([A-Za-z0-9 ,.()]+)", text)
    spaced = (part.replace(" ", r"\ ") for part in parts[1::2])
    bold = [rf"$\bf{{{part}}}$" for part in spaced]
    plain = [part.replace("$", r"\$") for part in parts[::2]]
    return "".join(piece for pair in zip_longest(plain, bold, fillvalue="") for piece in pair)


def publish_sentence(figure: Figure, sentence: str) -> Figure:
    """The printed form of `sentence_when_empty`."""
    figure.text(0.5, 0.5, sentence, ha="center", va="center", color=GUIDE, fontsize="large")
    return figure
