"""Sizes of printed figures for screens and for papers, and what keeps their ticks and legends true."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, LogFormatter, NullFormatter, ScalarFormatter

from lgq_explore.errors import InputError

from .contrast import WHITE, text_colour

Width = Literal["screen", "column", "text"]


@dataclass(frozen=True)
class Paper:
    """inches: the figure's width, None for what the figure asks for. letters: range of the font sizes in points."""

    inches: float | None
    letters: tuple[float, float] | None

    @property
    def smallest(self) -> float | None:
        return self.letters[0] if self.letters else None


PAPERS: dict[Width, Paper] = {
    "screen": Paper(None, None),
    "column": Paper(3.25, (7.0, 9.0)),
    "text": Paper(6.75, (7.0, 9.0)),
}
"""Widths of printed figures: for a notebook, for a column of a paper in two columns, and across both."""

PAGE_INCHES = 9.0
"""Height of a page's text: a paper's figure is no taller."""
TALLEST_PANEL = 2.6
"""Inches of height above which panels under each other would take more than a page."""
BODY_POINTS = 8.0
"""Size of letters in a paper's figure, where nothing else is said."""
LEAST_PANEL, LEAST_HEIGHT = 2.1, 1.9
"""Inches that a panel of a paper's figure needs, with its labels."""
LINE_SPACING = 1.25
LETTER = 0.58
"""Width of a letter as a share of its size, of text on average."""
MARGINS, LEGEND_SHARE = 0.97, 0.92
"""Shares of a figure's width that a title may fill, and of its axes' width that a legend may."""

_paper: ContextVar[Paper] = ContextVar("paper", default=PAPERS["screen"])


@contextmanager
def printed_width(width: Width) -> Iterator[None]:
    """The width of the figures that are made while the context lasts, with letters of 7 to 9 points in a paper.

    Panels that would be too narrow stand under each other.

    Raises:
        InputError: another width.
    """
    if width not in PAPERS:
        raise InputError(f"width is {width!r}: choose one of {', '.join(get_args(Width))}")
    before = _paper.set(PAPERS[width])
    try:
        yield
    finally:
        _paper.reset(before)


def present_paper() -> Paper:
    """The paper that figures are made for at the moment."""
    return _paper.get()


def fitting_columns(columns: int, least: float = LEAST_PANEL) -> int:
    """How many of these columns of panels fit the paper beside each other. least: inches that one needs."""
    inches = present_paper().inches
    return columns if inches is None else min(columns, max(1, int(inches / least)))


def fitting_width(width: float) -> float:
    """The width in inches of a figure that asks for this one and may be narrower than the paper."""
    return min(width, present_paper().inches or width)


def fitting_height(height: float) -> float:
    """The height in inches of a figure that asks for this one and may be taller than a page of the paper."""
    return height if present_paper().inches is None else min(height, PAGE_INCHES)


def fitting_letters(inches: float, size: str = "small") -> int:
    """How many letters of a line fit this width."""
    points = present_paper().smallest or FontProperties(size=size).get_size_in_points()
    return int(inches / (LETTER * points / 72))


def fitted_size(width: float, height: float, rows: int = 1) -> tuple[float, float]:
    """The size in inches of a figure with these rows of panels that asks for this one."""
    inches = present_paper().inches
    if inches is None:
        return width, height
    return inches, min(height, max(inches * height / width, rows * LEAST_HEIGHT))


def panel_grid_size(
    panels: int, columns: int, width: float, height: float, least: float = LEAST_PANEL, low: float = LEAST_HEIGHT
) -> tuple[int, int, float, float]:
    """Rows, columns and the size in inches of a grid of panels, each of which asks for this size."""
    fitting = min(panels, fitting_columns(columns, least))
    rows = math.ceil(panels / fitting)
    inches = present_paper().inches
    if inches is None:
        return rows, fitting, fitting * width, rows * height
    across = inches / fitting
    return rows, fitting, inches, rows * min(height, max(across * height / width, low), TALLEST_PANEL)


def tick_label(value: float, place: object = None) -> str:
    """A tick's label: all of the number's digits, and none that only its floating-point error has."""
    if value == 0 or 1e-6 < abs(value) < 1e15:
        text = f"{value:,.12f}".rstrip("0").rstrip(".")
    else:
        text = f"{value:.10g}"
    return text.replace("-", "\N{MINUS SIGN}")


def exact_percent(value: float, place: object = None) -> str:
    """A tick's label for a share, as a percentage."""
    return f"{tick_label(100 * value)} %"


HEADING: dict[str, Any] = {"weight": "bold", "size": "medium"}
"""The letters of the heading of a printed panel."""


def legend_above(axes: Axes, heading: str = "", handles: Sequence[Artist] | None = None, **settings: Any) -> None:
    """A legend above the axes, where no line can cross it, in as many columns as fit; a heading in bold above it."""
    shown, labels = axes.get_legend_handles_labels()
    if handles is not None:
        shown, labels = list(handles), [str(handle.get_label()) for handle in handles]
    house: dict[str, Any] = {
        "loc": "lower left",
        "bbox_to_anchor": (0, 1),
        "frameon": False,
        "fontsize": "small",
        "alignment": "left",
        "borderaxespad": 0.2,
        "borderpad": 0,
        "handlelength": 1.6,
        "handletextpad": 0.5,
        "columnspacing": 1.2,
    }
    root, house = axes.get_figure(root=True), house | settings
    assert root is not None
    room = axes.get_position().width * root.get_figwidth()
    if heading:
        house["title"] = _heading_in_lines(root, heading, room)
        house["title_fontproperties"] = HEADING
    columns = _legend_columns(root, labels, house, room)
    legend = axes.legend(_row_by_row(shown, columns), _row_by_row(labels, columns), ncols=columns, **house)
    for handle in legend.legend_handles if house["handlelength"] == 0 else ():
        if handle is not None:
            handle.set_visible(False)


def heading_above(axes: Axes, heading: str) -> None:
    """A heading as that of `legend_above`, where there is no legend."""
    root = axes.get_figure(root=True)
    assert root is not None
    room = axes.get_position().width * root.get_figwidth()
    axes.set_title(_heading_in_lines(root, heading, room), loc="left", fontdict=HEADING)


def _heading_in_lines(figure: Figure, heading: str, room: float) -> str:
    lines = wrapped(figure, [(word, True) for word in heading.split(" ")], "medium", room)
    return "\n".join(" ".join(word for word, _ in line) for line in lines)


def legend_below(figure: Figure, handles: Sequence[Artist]) -> None:
    """A legend below all panels, in as many columns as fit."""
    labels = [str(handle.get_label()) for handle in handles]
    house: dict[str, Any] = {
        "loc": "outside lower left",
        "frameon": False,
        "fontsize": "small",
        "handlelength": 2.0,
        "handletextpad": 0.6,
        "columnspacing": 1.6,
    }
    columns = _legend_columns(figure, labels, house, MARGINS * figure.get_figwidth())
    figure.legend(_row_by_row(handles, columns), _row_by_row(labels, columns), ncols=columns, **house)


def _row_by_row(entries: Sequence[Any], columns: int) -> list[Any]:
    """A legend's entries in the order that lets them be read in rows, since matplotlib fills column by column."""
    return [entry for column in range(columns) for entry in entries[column::columns]]


def _legend_columns(figure: Figure, labels: Sequence[str], settings: dict[str, Any], room: float) -> int:
    """The most columns of a legend that are no wider than these inches."""
    size = FontProperties(size=settings["fontsize"]).get_size_in_points()
    font = FontProperties(size=max(size, present_paper().smallest or size))
    em = font.get_size_in_points() / 72
    besides = em * (settings["handlelength"] + settings["handletextpad"])
    widths = [besides + text_inches(figure, label, font) for label in labels]
    for columns in range(len(widths), 1, -1):
        parts = [max(widths[column::columns]) for column in range(columns)]
        if sum(parts) + em * settings["columnspacing"] * (len(parts) - 1) <= LEGEND_SHARE * room:
            return columns
    return 1


def text_inches(figure: Any, text: str, font: FontProperties) -> float:
    """The width of a line of text. Formulas are measured without their commands."""
    plain = re.sub(r"\\[a-z]+|[${}\\]", "", text)
    width, _, _ = figure.canvas.get_renderer().get_text_width_height_descent(plain, font, False)
    return float(width) / float(figure.dpi)


Words = Sequence[tuple[str, bool]]
"""Each with whether it is bold."""


def wrapped(figure: Figure, words: Words, size: str | float, room: float) -> list[list[tuple[str, bool]]]:
    """Words in lines no wider than these inches."""
    fonts = {bold: FontProperties(size=size, weight="bold" if bold else "normal") for bold in (True, False)}
    space = text_inches(figure, "x x", fonts[True]) - text_inches(figure, "xx", fonts[True])
    lines: list[list[tuple[str, bool]]] = [[]]
    left = room
    for word, bold in words:
        taken = text_inches(figure, word, fonts[bold]) + space
        if lines[-1] and taken > left:
            lines.append([])
            left = room
        lines[-1].append((word, bold))
        left -= taken
    return lines


def line_inches(size: str) -> float:
    """The height of a line of letters of this size."""
    return LINE_SPACING * FontProperties(size=size).get_size_in_points() / 72


def finish(figure: Figure, paper: Paper) -> None:
    """Make a figure's ticks, which take the style of that moment; label them exactly; fit it to the paper.

    Words in the colours of lines are made dark enough to be read; white ones stand on something dark.
    """
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            _label_exactly(axis)
            _ = axis.majorTicks, axis.minorTicks
    for text in figure.findobj(Text):
        colour = to_hex(text.get_color())
        if colour.upper() != WHITE:
            text.set_color(text_colour(colour))
    figure.set_figheight(fitting_height(figure.get_figheight()))
    if paper.letters:
        for text in figure.findobj(Text):
            text.set_fontsize(float(np.clip(text.get_fontsize(), *paper.letters)))
        for axes in figure.axes:
            _wrap_label(figure, axes.xaxis, axes.get_position().width * figure.get_figwidth())
            _wrap_label(figure, axes.yaxis, axes.get_position().height * figure.get_figheight())


def _wrap_label(figure: Figure, axis: Axis, room: float) -> None:
    label = axis.label
    lines = wrapped(figure, [(word, False) for word in label.get_text().split(" ")], label.get_fontsize(), room)
    label.set_text("\n".join(" ".join(word for word, _ in line) for line in lines))


def _label_exactly(axis: Axis) -> None:
    """matplotlib's own formatters round, and move what ticks have in common to the axis's end."""
    formatter = axis.get_major_formatter()
    if isinstance(formatter, ScalarFormatter | LogFormatter):
        axis.set_major_formatter(FuncFormatter(tick_label))
        if isinstance(formatter, LogFormatter) and len(axis.get_majorticklocs()) > 1:
            axis.set_minor_formatter(NullFormatter())
