"""Gap, encoder gain and flips of codes against the temperature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lgq_explore.frames.temperature import (
    CRITICAL,
    FLIPS,
    GAP_UNDER_1_PERCENT,
    MARKS,
    SWEEP,
    TRAINING_BEGAN,
    TRAINING_ENDED,
)

from ..live import live_figure
from ..paper import legend_above
from ..printing import panel_grid, publication_style, publish_title
from ..style import (
    BLACK,
    BLUE,
    GREEN,
    GUIDE,
    ON_TOP,
    ORANGE,
    PURPLE,
    SKY_BLUE,
    VERMILION,
    Title,
    axis,
    layout,
    log_scale,
    note,
)

TEMPERATURE = "temperature τ"
MARK_COLOURS = {TRAINING_BEGAN: SKY_BLUE, TRAINING_ENDED: BLUE, GAP_UNDER_1_PERCENT: GREEN, CRITICAL: VERMILION}
MARK_LABELS = {GAP_UNDER_1_PERCENT: "gap 1 %", CRITICAL: "τ<sub>c</sub>"}
PRINTED_LABELS = {GAP_UNDER_1_PERCENT: "gap 1 %", CRITICAL: r"$\tau_c$"}
SMALLEST_SHOWN = 1e-5
"""Smallest value on log axes, for quantities that vanish with the temperature."""
NAME_SHARE = 0.08
"""Of a panel's width that the name along a line takes, where the panel is as narrow as it can be."""
DASHES = {"solid": "-", "dash": "--", "dot": ":"}


@dataclass(frozen=True)
class _Line:
    column: str
    label: str
    colour: str
    dash: str = "solid"


@dataclass(frozen=True)
class _Panel:
    heading: str
    measure: str
    lines: tuple[_Line, ...]
    log: bool = False


SWEEP_PANELS = (
    _Panel(
        "How far soft lies from hard",
        "relative to the tokens' spread",
        (
            _Line("relative_bound", "bound (1 − p*) max|c − c*|", GUIDE, "dash"),
            _Line("relative_gap", "gap |q_soft − q_hard|", BLUE),
            _Line("relative_free_energy_gap", "free-energy gap −τ log p*", ORANGE, "dot"),
        ),
        log=True,
    ),
    _Panel(
        "What the encoder hears",
        "encoder gain",
        (
            _Line("straight_through", "straight-through: 1", GUIDE, "dash"),
            _Line("encoder_gain", "LGQ, mean", VERMILION),
            _Line("encoder_gain_median", "median", VERMILION, "dot"),
        ),
    ),
    _Panel(
        "Flips to the next τ",
        "share of tokens",
        (
            _Line("soft", "code nearest to q_soft", PURPLE),
            _Line("hard", "code chosen: never", GUIDE, "dash"),
        ),
    ),
)


def draw_sweep(sweep: pd.DataFrame, flips: pd.DataFrame, marks: pd.DataFrame) -> go.Figure:
    """Gap, encoder gain and flips against the temperature, with the marks as lines.

    Frames are those of `TemperatureProbe.sweep` and `flips`, and of `temperature_marks` in
    `analysis.temperature`. Traces are the lines of SWEEP_PANELS in their order. `mark_temperature` lays the present
    temperature on top.

    Raises:
        InputError: a column is missing, or there is nothing to draw.
    """
    curves = curves_of(sweep, flips)
    MARKS.require(marks)
    spans = [(0.0, 0.27), (0.37, 0.63), (0.74, 1.0)]
    traces, shapes, notes = [], [], []
    ends = _log_range(sweep["temperature"])
    axes: dict[str, Any] = {}
    for number, (panel, span) in enumerate(zip(SWEEP_PANELS, spans, strict=True)):
        name = str(number + 1) if number else ""
        for line in panel.lines:
            values = curves[line.column]
            traces.append(
                {
                    "type": "scatter",
                    "x": values.index.to_numpy(),
                    "y": _shown(values, panel),
                    "name": line.label,
                    "mode": "lines",
                    "line": {"color": line.colour, "dash": line.dash, "width": 2},
                    "hovertemplate": "%{y:.3~g}",
                    "xaxis": "x" + name,
                    "yaxis": "y" + name,
                }
            )
        x_axis = log_scale(sweep["temperature"], most=4) | {"range": ends, "anchor": "y" + name}
        axes["xaxis" + name] = axis(
            TEMPERATURE, domain=list(span), unifiedhovertitle={"text": "τ = %{x:.3~g}"}, **x_axis
        )
        drawn = np.concatenate([_shown(curves[line.column], panel) for line in panel.lines])
        scale = log_scale(drawn) if panel.log else {"rangemode": "tozero"}
        axes["yaxis" + name] = axis(panel.measure, anchor="x" + name, **scale)
        shapes += [_vertical(value, colour, name) for value, colour in _verticals(marks, None)]
        notes.append(_heading(panel, span[0]))
    notes += map(_live_mark_name, _mark_names(marks, ends))
    return live_figure(
        traces,
        layout(
            Title("From soft to hard", f"means over N = {int(sweep['tokens'].iloc[0]):,d} tokens"),
            height=280,
            least_width=720,
            margin={"l": 64, "r": 12, "t": 108, "b": 44},
            showlegend=False,
            hovermode="x unified",
            shapes=shapes,
            annotations=notes,
            **axes,
        ),
    )


def mark_temperature(temperature: float) -> go.Figure:
    """The present temperature as lines on top of what `draw_sweep` draws."""
    names = ["", *(str(number) for number in range(2, len(SWEEP_PANELS) + 1))]
    lines = [_vertical(temperature, BLACK, name) | {"name": ON_TOP} for name in names]
    return live_figure([], {"shapes": lines})


def publish_sweep(
    sweep: pd.DataFrame, flips: pd.DataFrame, marks: pd.DataFrame, temperature: float | None = None
) -> Figure:
    """What `temperature.draw_sweep` shows, to print, with or without a present temperature. Errors are the same."""
    curves = curves_of(sweep, flips)
    MARKS.require(marks)
    with publication_style():
        figure, grid = panel_grid(3, 3, 3.5, 3.3, low=2.4)
        for axes, panel in zip(grid, SWEEP_PANELS, strict=True):
            publish_panel(axes, panel, curves, marks, temperature)
        publish_title(figure, Title("From soft to hard", f"means over N = {int(sweep['tokens'].iloc[0]):,d} tokens"))
    return figure


def curves_of(sweep: pd.DataFrame, flips: pd.DataFrame) -> dict[str, pd.Series]:
    """Each column that is drawn, by temperature; flips stand at the geometric mean of both temperatures."""
    SWEEP.require_rows(sweep)
    FLIPS.require_rows(flips)
    by_temperature = sweep.set_index("temperature").assign(straight_through=1.0)
    middle = np.sqrt(flips["from_temperature"] * flips["to_temperature"])
    between = flips.set_index(middle)
    return {**{name: by_temperature[name] for name in by_temperature}, "hard": between["hard"], "soft": between["soft"]}


def _shown(values: pd.Series, panel: _Panel) -> NDArray[np.float64]:
    """Values as drawn: a log axis leaves out those below SMALLEST_SHOWN."""
    numbers = values.to_numpy(dtype=np.float64)
    return np.where(numbers > SMALLEST_SHOWN, numbers, np.nan) if panel.log else numbers


def _log_range(temperatures: pd.Series | pd.Index) -> list[float]:
    return np.log10([temperatures.min(), temperatures.max()]).tolist()


def _verticals(marks: pd.DataFrame, temperature: float | None) -> list[tuple[float, str]]:
    named = [(row.temperature, MARK_COLOURS[row.mark]) for row in marks.itertuples() if row.mark in MARK_COLOURS]
    return named if temperature is None else [*named, (temperature, BLACK)]


def _vertical(temperature: float, colour: str, name: str) -> dict[str, Any]:
    return {
        "type": "line",
        "x0": temperature,
        "x1": temperature,
        "y0": 0,
        "y1": 1,
        "xref": "x" + name,
        "yref": "y" + name + " domain",
        "layer": "below",
        "line": {
            "color": colour,
            "width": 3 if colour == BLACK else 1.5,
            "dash": "solid" if colour == BLACK else "dot",
        },
    }


@dataclass(frozen=True)
class _MarkName:
    """A name along the line of a mark, from the panel's foot upwards, or from its top downwards."""

    mark: str
    temperature: float
    is_at_foot: bool


def _mark_names(marks: pd.DataFrame, sweep_range: Sequence[float]) -> list[_MarkName]:
    """Names at the foot of their lines; at the top where that would cover the neighbour at the left.

    sweep_range: the axis' ends, in decades.
    """
    least_apart = NAME_SHARE * (sweep_range[1] - sweep_range[0])
    names, last_at_foot = [], -np.inf
    for row in marks[marks["mark"].isin(list(MARK_COLOURS))].sort_values("temperature").itertuples():
        decade = float(np.log10(row.temperature))
        is_at_foot = decade >= last_at_foot + least_apart
        if is_at_foot:
            last_at_foot = decade
        names.append(_MarkName(row.mark, row.temperature, is_at_foot))
    return names


def _live_mark_name(name: _MarkName) -> dict[str, Any]:
    """In the second panel, whose lines leave the most room."""
    return {
        "text": MARK_LABELS.get(name.mark, name.mark),
        "x": float(np.log10(name.temperature)),
        "y": 0.02 if name.is_at_foot else 0.98,
        "xref": "x2",
        "yref": "y2 domain",
        "xanchor": "right",
        "yanchor": "bottom" if name.is_at_foot else "top",
        "textangle": -90,
        "showarrow": False,
        "font": {"size": 10, "color": MARK_COLOURS[name.mark]},
    }


def _publish_mark_name(axes: Axes, name: _MarkName) -> None:
    axes.annotate(
        PRINTED_LABELS.get(name.mark, name.mark),
        (name.temperature, 0.03 if name.is_at_foot else 0.97),
        xycoords=("data", "axes fraction"),
        rotation=90,
        ha="right",
        va="bottom" if name.is_at_foot else "top",
        fontsize="x-small",
        color=MARK_COLOURS[name.mark],
    )


def _heading(panel: _Panel, left: float) -> dict[str, Any]:
    lines = [f'<span style="color:{line.colour}; font-size:11px">{line.label}</span>' for line in panel.lines]
    return note("<br>".join([f"<b>{panel.heading}</b>", *lines]), left, 1)


def publish_panel(
    axes: Axes, panel: _Panel, curves: dict[str, pd.Series], marks: pd.DataFrame, temperature: float | None
) -> None:
    for line in panel.lines:
        values = curves[line.column]
        axes.plot(values.index, _shown(values, panel), color=line.colour, linestyle=DASHES[line.dash], label=line.label)
    for value, colour in _verticals(marks, temperature):
        axes.axvline(
            value, color=colour, linewidth=2 if colour == BLACK else 1, linestyle="-" if colour == BLACK else ":"
        )
    axes.set_xscale("log")
    if panel.log:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.set(xlabel=TEMPERATURE, ylabel=panel.measure)
    axes.tick_params(which="minor", length=0)
    if panel is SWEEP_PANELS[1]:
        for name in _mark_names(marks, _log_range(curves["encoder_gain"].index)):
            _publish_mark_name(axes, name)
    legend_above(axes, panel.heading)
    axes.spines[["top", "right"]].set_visible(False)
