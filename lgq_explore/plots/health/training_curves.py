"""Losses, usage, softness, temperature, and the discriminator's life, over the steps of training."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from lgq_explore.errors import InputError
from lgq_explore.frames.health import (
    ACTIVE_CODES,
    ADAPTIVE_WEIGHT,
    BALANCE,
    BY_HAND,
    CODEBOOK_SIZE,
    EFFECTIVE_CODES,
    GAIN_MEAN,
    GAIN_MEDIAN,
    IN_FORCE,
    LECAM,
    LOGITS,
    LOSSES,
    PENALTIES,
    PERPLEXITY,
    R1,
    REAL,
    RECONSTRUCTED,
    SHARES,
    SOFTNESS,
    STEP_MARKS,
    TEMPERATURE,
    TOKENS,
    TRAINING_CURVES,
    USAGE,
    WEIGHTED_SUM,
    quantity_and_window,
)

from ..live import Trace, live_figure
from ..paper import legend_above
from ..printing import new_figure, panel_grid, publication_style, publish_sentence, publish_title
from ..run_looks import DASHES
from ..step_marks import NO_MARKS, live_marks, publish_marks
from ..style import (
    AXIS,
    BLACK,
    BLUE,
    GREEN,
    GUIDE,
    ORANGE,
    PURPLE,
    SKY_BLUE,
    VERMILION,
    Title,
    axis,
    layout,
    log_scale,
    note,
    sentence_when_empty,
)

NOTHING_LOGGED = "No step has been logged yet."
STEPS = "optimiser steps"

COLUMN_GAP = 0.18
ROW_GAP = 0.3
"""Gaps between panels, as shares of the figure: room for axis titles and headings."""
STACKED_GAP = 0.07
"""Between panels in a single column, which have a heading of one line and no axis titles."""
STACKED_HEIGHT, STACKED_WIDTH = 514, 410
"""Screen pixels of a single column, whatever the number of panels. Narrower, the names of the lines would be cut."""

MOST_MARKED_ROWS = 60
"""Most rows with a marker each, so that a single row can be seen. With more rows, markers would hide the line."""
LEGEND_WIDTH, STACKED_LEGEND_WIDTH = 330, 345
"""Screen pixels of a line of names above a panel: in half a cell of 640, and in a single column beside the heading."""
HEADING_LETTER, NAMES_LETTER = 7.5, 5.9
"""Screen pixels of a letter of a heading and of a name, in a wide font."""
NAMES_SIZE, NAMES_HEIGHT, MOST_TICKS = 11, 14, 5


@dataclass(frozen=True)
class _Line:
    """Look of a quantity. label: its short name within the panel. dash: as plotly spells it."""

    colour: str
    label: str = ""
    dash: str = "solid"
    width: float = 2.0


@dataclass(frozen=True)
class _Panel:
    """A group of quantities: its heading, and what its left and right axes measure.

    signed: whether values may lie below 0.
    """

    heading: str
    left: str
    log: bool = False
    signed: bool = False
    right: str = ""
    on_right: tuple[str, ...] = ()


LINES = {
    WEIGHTED_SUM: _Line(BLACK),
    ACTIVE_CODES: _Line(BLUE, "active"),
    PERPLEXITY: _Line(ORANGE),
    CODEBOOK_SIZE: _Line(GUIDE, "codebook size K", dash="dash", width=1.5),
    EFFECTIVE_CODES: _Line(BLUE),
    GAIN_MEAN: _Line(VERMILION, "gain, mean"),
    GAIN_MEDIAN: _Line(VERMILION, "median (dotted)", dash="dot"),
    IN_FORCE: _Line(BLUE, "in force"),
    BY_HAND: _Line(VERMILION, "set by hand", width=5),
    REAL: _Line(BLUE, "real"),
    RECONSTRUCTED: _Line(VERMILION, "reconstructed"),
    BALANCE: _Line(BLUE, "λ"),
    R1: _Line(BLUE),
    LECAM: _Line(ORANGE),
}
"""Looks of known quantities; others take COLOURS in their order."""
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, VERMILION, SKY_BLUE)

PANELS = {
    LOSSES: _Panel("Losses", "loss", log=True),
    USAGE: _Panel("Code usage", "codes"),
    SOFTNESS: _Panel(
        "Softness",
        "codes per token",
        log=True,
        right="encoder gain",
        on_right=(GAIN_MEAN, GAIN_MEDIAN),
    ),
    TEMPERATURE: _Panel("Temperature", "temperature τ", log=True),
    LOGITS: _Panel("Logits of the discriminator", "mean logit", signed=True),
    ADAPTIVE_WEIGHT: _Panel("Adaptive weight", "adaptive weight λ", log=True),
    PENALTIES: _Panel("Penalties", "penalty", log=True),
    SHARES: _Panel("Gradient of the decoder", "share of the gradient"),
}


def draw_training_curves(curves: pd.DataFrame, marks: pd.DataFrame = NO_MARKS, columns: int = 2) -> go.Figure:
    """The frame's panels, in one column or two; one trace per quantity, in the frame's order.

    curves: that of `analysis.health.training_curves`. marks: that of `analysis.health.step_marks`, each a line in every
    panel. In one column, panels share the axis of steps, and have no titles at their other axes.

    Raises:
        InputError: a column is missing, or a panel is unknown.
    """
    panels = _panels(curves)
    traces: list[Trace] = []
    axes: dict[str, Any] = {}
    headings: list[dict[str, Any]] = []
    places = _places(len(panels), columns)
    for place in places:
        name = panels[place.index]
        panel, lines, values = PANELS[name], _quantities(curves, name), curves[curves["panel"] == name]
        traces += _panel_traces(place, panel, lines, values)
        axes |= _panel_axes(place, panel, values)
        headings.append(note(_heading(panel, lines, place), place.across[0], place.up[1]))
    drawn = live_marks(marks, curves["step"], [place.left for place in places], 1 if columns == 1 else None)
    return live_figure(
        traces,
        layout(
            _short_title(curves) if columns == 1 else _title(curves),
            least_width=STACKED_WIDTH if columns == 1 else 640,
            height=STACKED_HEIGHT if columns == 1 else 110 + 195 * _rows(len(panels), columns),
            margin=_stacked_margin(headings) if columns == 1 else {"l": 64, "r": 12, "t": 84, "b": 48},
            showlegend=False,
            hovermode="x unified",
            shapes=drawn.lines,
            annotations=[*headings, *drawn.names, sentence_when_empty(NOTHING_LOGGED, empty=curves.empty)],
            **(axes or {"xaxis": {"visible": False}, "yaxis": {"visible": False}}),
        ),
    )


def _stacked_margin(headings: list[dict[str, Any]]) -> dict[str, int]:
    """Of a single column: the names of many losses take more than a line above it."""
    names = headings[0]["text"].count("<br>") if headings else 0
    return {"l": 48, "r": 40, "t": 62 + NAMES_HEIGHT * names, "b": 44}


def publish_training_curves(curves: pd.DataFrame, marks: pd.DataFrame = NO_MARKS) -> Figure:
    """What `draw_training_curves` shows, to print. Arguments and errors are the same."""
    panels = _panels(curves)
    STEP_MARKS.require(marks)
    with publication_style():
        if not panels:
            return publish_sentence(new_figure(7, 2), NOTHING_LOGGED)
        figure, grid = panel_grid(len(panels), 2, 4.2, 2.85)
        for axes, name in zip(grid, panels, strict=True):
            _publish_panel(axes, PANELS[name], curves[curves["panel"] == name])
            publish_marks(axes, marks, curves["step"])
        publish_title(figure, _title(curves))
    return figure


def _panels(curves: pd.DataFrame) -> list[str]:
    TRAINING_CURVES.require(curves)
    names: list[str] = curves["panel"].unique().tolist()
    for name in names:
        if name not in PANELS:
            raise InputError(f"unknown panel {name!r}: choose of {', '.join(PANELS)}")
    return names


def _quantities(curves: pd.DataFrame, panel: str) -> dict[str, _Line]:
    """Each quantity of a panel, and how its line looks."""
    names = curves.loc[curves["panel"] == panel, "quantity"].unique()
    free = itertools.cycle(COLOURS)
    lines = {}
    for name in names:
        what, _ = quantity_and_window(name)
        if what != TOKENS:  # the title says how many
            line = LINES.get(what) or _Line(next(free))
            lines[name] = replace(line, label=line.label or what)
    return lines


@dataclass(frozen=True)
class _Place:
    """Where the panel of this index lies: its span across and up the figure, in shares of it.

    panels, columns: of the figure. In a single column all panels have the axis of steps of the lowest one.
    """

    index: int
    across: tuple[float, float]
    up: tuple[float, float]
    panels: int
    columns: int

    @property
    def left(self) -> str:
        """plotly's number of the panel's own pair of axes, which it leaves out for the first."""
        return str(self.index + 1) if self.index else ""

    @property
    def right(self) -> str:
        """plotly's number of the right axis, after those of all panels."""
        return str(self.panels + self.index + 1)

    @property
    def is_stacked(self) -> bool:
        return self.columns == 1

    @property
    def has_steps(self) -> bool:
        """Whether its steps are written below it."""
        return not self.is_stacked or self.index == self.panels - 1


def _rows(panels: int, columns: int) -> int:
    return max(1, math.ceil(panels / columns))


def _places(panels: int, columns: int) -> list[_Place]:
    """From the top, `columns` in a row."""
    across, rows = min(columns, panels), _rows(panels, columns)
    gap = STACKED_GAP if columns == 1 else ROW_GAP
    places = []
    for index in range(panels):
        row, column = divmod(index, columns)
        width, height = (1 - COLUMN_GAP * (across - 1)) / across, (1 - gap * (rows - 1)) / rows
        start, top = column * (width + COLUMN_GAP), 1 - row * (height + gap)
        places.append(_Place(index, (start, start + width), (max(0.0, top - height), top), panels, columns))
    return places


def _panel_traces(place: _Place, panel: _Panel, lines: dict[str, _Line], curves: pd.DataFrame) -> Iterator[Trace]:
    for quantity, line in lines.items():
        values = curves[curves["quantity"] == quantity]
        yield {
            "type": "scatter",
            "x": values["step"].to_numpy(dtype=np.float32),
            "y": _shown(panel, quantity, values["value"]).to_numpy(dtype=np.float32),
            "mode": "lines+markers" if line.dash == "solid" and len(values) <= MOST_MARKED_ROWS else "lines",
            "name": line.label,
            "line": {"color": line.colour, "dash": line.dash, "width": line.width},
            "marker": {"size": max(4, line.width)},
            "hovertemplate": "%{y:.4~g}",
            "xaxis": "x" + place.left,
            "yaxis": "y" + (place.right if quantity in panel.on_right else place.left),
        }


def _shown(panel: _Panel, quantity: str, values: pd.Series) -> pd.Series:
    """The values that the axis has a place for: a logarithmic one has none for those of an adversarial loss below 0."""
    return values.where(values > 0) if panel.log and quantity not in panel.on_right else values


def _panel_axes(place: _Place, panel: _Panel, curves: pd.DataFrame) -> dict[str, dict[str, Any]]:
    scale = _log_axis(curves, panel, MOST_TICKS) if panel.log else {"rangemode": "tozero"}
    zero: dict[str, Any] = {"zeroline": True, "zerolinecolor": AXIS} if panel.signed else {}
    steps = axis(
        STEPS if place.has_steps else "",
        domain=list(place.across),
        anchor="y" + place.left,
        rangemode="tozero",
        showticklabels=place.has_steps,
        unifiedhovertitle={"text": "step %{x}"},
        **({"matches": "x"} if place.is_stacked and place.index else {}),
    )
    left, right = ("", "") if place.is_stacked else (panel.left, panel.right)
    axes = {
        "xaxis" + place.left: steps,
        "yaxis" + place.left: axis(left, domain=list(place.up), anchor="x" + place.left, **scale, **zero),
    }
    if panel.right:
        axes["yaxis" + place.right] = axis(
            right,
            colour=VERMILION,
            anchor="x" + place.left,
            overlaying="y" + place.left,
            side="right",
            tickmode="auto",
            rangemode="tozero",
            showgrid=False,
        )
    return axes


def _log_axis(curves: pd.DataFrame, panel: _Panel, most: int) -> dict[str, Any]:
    return log_scale(curves.loc[~curves["quantity"].isin(panel.on_right), "value"], most)


def _publish_panel(axes: Axes, panel: _Panel, curves: pd.DataFrame) -> None:
    right = axes.twinx() if panel.right else axes
    for quantity, line in _quantities(curves, curves["panel"].iloc[0]).items():
        rows = curves[curves["quantity"] == quantity]
        (right if quantity in panel.on_right else axes).plot(
            rows["step"],
            _shown(panel, quantity, rows["value"]),
            color=line.colour,
            linestyle=DASHES[line.dash],
            linewidth=0.8 * line.width,
            marker="o",
            markersize=max(2.0, line.width),
            markevery=_without_neighbours(rows["value"]),
            label=line.label,
        )
    if panel.log:
        axes.set_yscale("log")
        dense = np.ptp(np.log10(axes.get_ylim())) < 2
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if dense else (1,)))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.tick_params(axis="y", which="minor", length=0)
    elif not panel.signed:
        axes.set_ylim(bottom=0)
    axes.set(xlabel=STEPS, ylabel=panel.left)
    handles = [*axes.get_lines(), *(right.get_lines() if right is not axes else [])]
    if right is not axes:
        right.set_ylabel(panel.right, color=VERMILION)
        right.tick_params(axis="y", colors=VERMILION)
        right.set_ylim(bottom=0)
        right.grid(visible=False)
    seaborn.despine(ax=axes)
    seaborn.despine(ax=right, right=right is axes)
    legend_above(axes, panel.heading, handles, labelcolor="linecolor", handlelength=0, handletextpad=0)


def _without_neighbours(values: pd.Series) -> list[int]:
    """Places of values between empty ones, which a line alone would not show."""
    present = values.notna()
    alone = present & ~present.shift(1, fill_value=False) & ~present.shift(-1, fill_value=False)
    return np.flatnonzero(alone).tolist()


def _heading(panel: _Panel, lines: dict[str, _Line], place: _Place) -> str:
    """The heading, and the quantities in the colours of their lines, as a legend: below it, or beside it if stacked."""
    rows: list[list[_Line]] = [[]]
    width = STACKED_LEGEND_WIDTH if place.is_stacked else LEGEND_WIDTH
    room = width - HEADING_LETTER * len(panel.heading) if place.is_stacked else width
    for line in lines.values():
        if NAMES_LETTER * (sum(len(other.label) + 3 for other in rows[-1]) + len(line.label)) > room:
            rows.append([])
            room = width
        rows[-1].append(line)
    beside = "  " if place.is_stacked else "<br>"
    return f"<b>{panel.heading}</b>{beside}" + "<br>".join(" · ".join(map(_coloured, row)) for row in rows)


def _coloured(line: _Line) -> str:
    return f'<span style="color:{line.colour}; font-size:{NAMES_SIZE}px">{line.label}</span>'


def _title(curves: pd.DataFrame) -> Title:
    """The title with the steps made, and the number of tokens that usage is counted over."""
    if curves.empty:
        return Title("Training", "")
    steps = f"{int(curves['step'].max()):,d} steps"
    tokens, window = _counted_over(curves)
    return Title("Training", f"{steps}; usage over the {window}, N = {tokens:,d} tokens" if window else steps)


def _short_title(curves: pd.DataFrame) -> Title:
    """As much of that as stands in a line beside a toolbar; the axis has the steps made."""
    tokens, window = _counted_over(curves)
    return Title("Training", f"usage: {tokens:,d} tokens, {window.removeprefix('last ')}" if window else "")


def _counted_over(curves: pd.DataFrame) -> tuple[int, str]:
    """The number of tokens that usage is counted over, and the words for their window; empty where it is not."""
    windows = {name: quantity_and_window(name) for name in curves["quantity"].unique()}
    tokens = curves[curves["quantity"].isin([name for name, (what, _) in windows.items() if what == TOKENS])]
    if tokens.empty:
        return 0, ""
    return int(tokens["value"].iloc[-1]), windows[tokens["quantity"].iloc[-1]][1]
