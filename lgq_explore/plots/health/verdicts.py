"""Verdicts on a run, with the curves that their rules read."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lgq_explore.errors import InputError, printable
from lgq_explore.frames.health import FINE, NOT_APPLICABLE, RULE_CURVES, TROUBLE, VERDICTS, WARNING

from ..live import Trace, live_figure
from ..paper import fitting_columns, fitting_letters, line_inches, present_paper
from ..printing import figure_of_size, publication_style, publish_title
from ..run_looks import translucent
from ..step_marks import NO_MARKS, live_marks, publish_marks
from ..style import (
    BLUE,
    GREEN,
    GUIDE,
    INK,
    ORANGE,
    VERMILION,
    Title,
    axis,
    layout,
    log_scale,
    note,
    printed_text,
    sentence_when_empty,
)

TITLE = "Health"
NO_CURVES = "No step has been logged yet: there are no curves to read."
COLUMNS_OF_CURVES, MOST_COLUMNS = 3, 4
"""Columns of interactive curves; of more than two rows of them there would be no room below the findings."""
COLUMN_WIDTH = 213
"""Screen pixels that a column needs at least: three of them fit a cell of 640."""
ROW_HEIGHT, HEAD_HEIGHT = 160, 80
"""Screen pixels of a row of curves, and of what stands above them all."""
ROW_GAP = 120
"""Screen pixels between two rows: room for steps above it, and for a heading of three lines below."""
BOLD_LETTERS = 6
"""How many letters fewer fit a line in bold."""
GAP = 0.07
"""Gap between two curves, as a share of the figure's width."""
HEADING_LETTERS = 26
"""Letters in a line above a curve: what a third of a cell of 640 screen pixels has room for in a wide font."""
CURVE_INCHES, LOW_CURVE_INCHES = 1.9, 1.5
"""Height of a printed curve, and of those that stand in a single column."""
LEAST_WORDS, WORDS_SHARE = 5.0, 0.93
"""Inches below which a printed figure has no room for findings; the share of its width that words fill."""
LIMITS = ("lower", "upper")
LOG_DECADES = 1.5
"""Powers of ten that a curve and its limits span above which its axis is logarithmic."""


@dataclass(frozen=True)
class StateLook:
    """The symbol and the colour of a state."""

    symbol: str
    colour: str


STATE_LOOKS: dict[str, StateLook] = {
    TROUBLE: StateLook("✖", VERMILION),
    WARNING: StateLook("▲", ORANGE),
    FINE: StateLook("✓", GREEN),
    NOT_APPLICABLE: StateLook("–", GUIDE),
}
"""Symbols differ as well as colours, and the name of the state always stands beside them."""


def draw_verdicts(
    curves: pd.DataFrame, verdicts: pd.DataFrame, detail: str = "", marks: pd.DataFrame = NO_MARKS
) -> go.Figure:
    """The curves that rules read, with dashed limits and a shaded area beyond them; above each the rule's verdict.

    curves: that of `analysis.health.rule_curves`. verdicts: that of `analysis.health.assess`, of the same run. marks:
    that of `analysis.health.step_marks`, each a line in every curve.

    Raises:
        InputError: a column is missing, or a curve has no verdict.
    """
    panels = list(_panels(curves, verdicts))
    columns = COLUMNS_OF_CURVES if len(panels) <= 2 * COLUMNS_OF_CURVES else MOST_COLUMNS
    rows = -(-len(panels) // columns)
    places = [_Place(index, rows, columns) for index in range(len(panels))]
    drawn = live_marks(marks, curves["step"], [place.number for place in places])
    figure_axes: dict[str, Any] = {}
    for place, panel in zip(places, panels, strict=True):
        figure_axes |= _axes(place, panel)
    return live_figure(
        [trace for place, panel in zip(places, panels, strict=True) for trace in _traces(place, panel)],
        layout(
            Title("Curves that the rules read", detail),
            least_width=columns * COLUMN_WIDTH,
            height=HEAD_HEIGHT + ROW_HEIGHT * max(1, rows),
            margin={"l": 56, "r": 40, "t": 90, "b": 40},
            showlegend=False,
            shapes=drawn.lines,
            annotations=[
                *(_heading(place, panel) for place, panel in zip(places, panels, strict=True)),
                *drawn.names,
                sentence_when_empty(NO_CURVES, empty=not panels),
            ],
            **(figure_axes or {"xaxis": {"visible": False}, "yaxis": {"visible": False}}),
        ),
    )


def publish_verdicts(
    curves: pd.DataFrame, verdicts: pd.DataFrame, detail: str = "", marks: pd.DataFrame = NO_MARKS
) -> Figure:
    """All verdicts in words, and under them what `health.draw_verdicts` shows. Arguments and errors are the same."""
    panels = list(_panels(curves, verdicts))
    columns = fitting_columns(COLUMNS_OF_CURVES)
    rows = -(-len(panels) // columns)
    with publication_style():
        width = present_paper().inches or 10
        curve_inches = CURVE_INCHES if columns > 1 else LOW_CURVE_INCHES
        lines = list(_lines(verdicts, fitting_letters(WORDS_SHARE * width)))
        if width < LEAST_WORDS:
            lines = [line for line in lines if line.is_bold]
        words = line_inches("small") * (len(lines) + 1)
        figure = figure_of_size(width, words + curve_inches * rows + 0.4)
        grid = figure.add_gridspec(rows + 1, columns, height_ratios=[words, *[curve_inches] * rows])
        text = figure.add_subplot(grid[0, :])
        text.set_axis_off()
        for number, line in enumerate(lines):
            text.text(
                line.indent,
                1 - (number + 0.5) / len(lines),
                printed_text(line.words),
                color=line.colour,
                fontweight="bold" if line.is_bold else "normal",
                fontsize="small",
                va="center",
                transform=text.transAxes,
            )
        for index, panel in enumerate(panels):
            axes = figure.add_subplot(grid[1 + index // columns, index % columns])
            _publish_panel(axes, panel, panel.printed_heading(width / columns))
            publish_marks(axes, marks, curves["step"])
        publish_title(figure, Title(TITLE, detail))
    return figure


@dataclass(frozen=True, eq=False)
class _Panel:
    """One rule's curve with its limits at every step, and its verdict."""

    rule: str
    state: str
    quantity: str
    curve: pd.DataFrame

    @property
    def look(self) -> StateLook:
        return STATE_LOOKS[self.state]

    @property
    def is_log(self) -> bool:
        marks = self.curve[["value", *LIMITS]].melt(value_name="mark")["mark"].dropna()
        return bool((marks > 0).all() and marks.max() / marks.min() > 10**LOG_DECADES)

    @property
    def span(self) -> tuple[float, float]:
        """Range of the axis: it holds the curve and its limits, with some room."""
        marks = self.curve[["value", *LIMITS]]
        lowest, highest = marks.min().min(), marks.max().max()
        if self.is_log:
            return lowest / 1.3, highest * 1.3
        return min(0.0, lowest), 1.08 * highest or 1.0

    @property
    def limits(self) -> Iterator[tuple[pd.Series, float]]:
        """Each limit that exists, and the end of the axis beyond it."""
        for side, end in zip(LIMITS, self.span, strict=True):
            if self.curve[side].notna().any():
                yield self.curve[side], end

    @property
    def heading(self) -> list[str]:
        return textwrap.wrap(f"{self.state}: {self.rule}?", HEADING_LETTERS)

    def printed_heading(self, inches: float) -> str:
        """The heading's lines with the state's symbol, no wider than a curve that has so many inches."""
        letters = min(HEADING_LETTERS, fitting_letters(inches) - BOLD_LETTERS)
        return "\n".join(textwrap.wrap(f"{self.look.symbol} {self.state}: {self.rule}?", letters))


def _panels(curves: pd.DataFrame, verdicts: pd.DataFrame) -> Iterator[_Panel]:
    RULE_CURVES.require(curves)
    VERDICTS.require(verdicts)
    states = dict(zip(verdicts["rule"], verdicts["state"], strict=True))
    for (rule, quantity), curve in curves.groupby(["rule", "quantity"], sort=False):
        if rule not in states:
            raise InputError(f"there is a curve of {rule!r}, and no verdict: give both of the same run")
        yield _Panel(str(rule), states[rule], str(quantity), curve)


@dataclass(frozen=True)
class _Place:
    """Where a curve lies in a grid of them, from the top, and plotly's number of its axes."""

    index: int
    rows: int
    columns: int

    @property
    def number(self) -> str:
        return str(self.index + 1) if self.index else ""

    @property
    def across(self) -> tuple[float, float]:
        width = (1 - GAP * (self.columns - 1)) / self.columns
        start = (self.index % self.columns) * (width + GAP)
        return start, min(1.0, start + width)

    @property
    def up(self) -> tuple[float, float]:
        gap = ROW_GAP / (ROW_HEIGHT * self.rows - 50)
        height = (1 - gap * (self.rows - 1)) / self.rows
        top = 1 - (self.index // self.columns) * (height + gap)
        return max(0.0, top - height), top


def _axes(place: _Place, panel: _Panel) -> dict[str, Any]:
    scale: dict[str, Any] = {"range": list(panel.span), "nticks": 5, "tickformat": "~g"}
    if panel.is_log:
        scale = log_scale(panel.span, most=5) | {"range": [math.log10(end) for end in panel.span]}
    return {
        f"xaxis{place.number}": axis(
            "step", domain=list(place.across), anchor=f"y{place.number}", rangemode="tozero", nticks=5
        ),
        f"yaxis{place.number}": axis("", domain=list(place.up), anchor=f"x{place.number}", **scale),
    }


def _traces(place: _Place, panel: _Panel) -> Iterator[Trace]:
    """What lies beyond the limits, shaded; the limits, dashed; the curve."""
    steps, axes = panel.curve["step"].tolist(), {"xaxis": f"x{place.number}", "yaxis": f"y{place.number}"}
    for limit, end in panel.limits:
        yield {
            "type": "scatter",
            "x": [*steps, *reversed(steps)],
            "y": [*limit, *([end] * len(steps))],
            "mode": "lines",
            "line": {"width": 0},
            "fill": "toself",
            "fillcolor": translucent(VERMILION, 0.12),
            "hoverinfo": "skip",
            **axes,
        }
        dashed = {"color": GUIDE, "width": 1.5, "dash": "dash"}
        yield {
            "type": "scatter",
            "x": steps,
            "y": limit.tolist(),
            "mode": "lines",
            "line": dashed,
            "hoverinfo": "skip",
            **axes,
        }
    yield {
        "type": "scatter",
        "x": steps,
        "y": panel.curve["value"].tolist(),
        "mode": "lines+markers",
        "line": {"color": BLUE, "width": 2},
        "marker": {"size": 4},
        "name": panel.quantity,
        "hovertemplate": "step %{x:,d}: %{y:.4~g}<extra></extra>",
        **axes,
    }


def _heading(place: _Place, panel: _Panel) -> dict[str, Any]:
    mark = f'<span style="color:{panel.look.colour}">{panel.look.symbol}</span>'
    words = "<br>".join(panel.heading)
    text = f'<b>{mark} {words}</b><br><span style="font-size:11px">{panel.quantity}</span>'
    return note(text, place.across[0], place.up[1])


@dataclass(frozen=True)
class _Line:
    """A printed line: its indent as a share of the width."""

    words: str
    colour: str = INK
    indent: float = 0.02
    is_bold: bool = False


def _lines(verdicts: pd.DataFrame, letters: int) -> Iterator[_Line]:
    for verdict in verdicts.itertuples():
        look = STATE_LOOKS[verdict.state]
        for line in textwrap.wrap(f"{look.symbol}  {verdict.state}: {verdict.rule}?", letters - BOLD_LETTERS):
            yield _Line(line, look.colour, 0.0, is_bold=True)
        for words in textwrap.wrap(printable(verdict.finding), letters):
            yield _Line(words)
        for line in textwrap.wrap(f"→ {verdict.advice}" if verdict.advice else "", letters):
            yield _Line(line, BLUE)
        if verdict.settings:
            for line in textwrap.wrap(verdict.settings, letters):
                yield _Line(line, BLUE, indent=0.035)


def _publish_panel(axes: Axes, panel: _Panel, heading: str) -> None:
    axes.plot(panel.curve["step"], panel.curve["value"], color=BLUE, marker="o", markersize=2.5, linewidth=1.6)
    if panel.is_log:
        axes.set_yscale("log")
    axes.set_ylim(*panel.span)
    for limit, end in panel.limits:
        axes.fill_between(panel.curve["step"], limit, end, color=VERMILION, alpha=0.12, linewidth=0)
        axes.plot(panel.curve["step"], limit, color=GUIDE, linestyle="--", linewidth=1.2)
    axes.set_title(f"{heading}\n", loc="left", fontsize="small", fontweight="bold", pad=2)
    axes.text(0, 1.02, panel.quantity, transform=axes.transAxes, fontsize="small", va="bottom")
    axes.set_xlabel("step", fontsize="small")
    axes.tick_params(labelsize="small")
    seaborn.despine(ax=axes)
