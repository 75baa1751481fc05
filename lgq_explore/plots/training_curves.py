"""How does training go: losses, usage, softness, temperature?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from plotly.subplots import make_subplots

from lgq_explore.errors import InputError

from .style import (
    BLACK,
    BLUE,
    GREEN,
    GUIDE,
    ORANGE,
    PURPLE,
    SKY_BLUE,
    VERMILION,
    new_figure,
    publication_style,
    publish_sentence,
    say_when_empty,
    style_figure,
)

COLUMNS = ["step", "panel", "quantity", "value"]
NOTHING_LOGGED = "Nothing logged yet"
STEPS = "optimiser steps"

LINES = {
    "weighted sum": dict(color=BLACK),
    "active codes": dict(color=BLUE),
    "perplexity": dict(color=ORANGE),
    "codebook size": dict(color=GUIDE, dash="dash"),
    "effective codes": dict(color=BLUE),
    "encoder gain, mean": dict(color=VERMILION),
    "encoder gain, median": dict(color=VERMILION, dash="dot"),
    "temperature": dict(color=BLUE),
    "temperature, set by hand": dict(color=VERMILION),
}
"""Quantities with a colour of their own; the others take COLOURS in their order."""
MATPLOTLIB_DASHES = {"solid": "-", "dash": "--", "dot": ":"}
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, VERMILION, SKY_BLUE)


@dataclass(frozen=True)
class _Panel:
    """name, as in the frame. title, left, right: as drawn; right: of the quantities that start with `on_right`."""

    name: str
    title: str
    left: str
    log: bool = False
    right: str = ""
    on_right: str = "\0"


PANELS = {
    panel.name: panel
    for panel in (
        _Panel("losses", "Losses", "loss (unweighted; sum weighted)", log=True),
        _Panel("active codes", "Code usage", "codes"),
        _Panel(
            "effective codes and gain",
            "Softness",
            "codes a token",
            log=True,
            right="encoder gain",
            on_right="encoder gain",
        ),
        _Panel("temperature", "Temperature", "temperature τ (squared latent units)", log=True),
    )
}


def draw_training_curves(curves: pd.DataFrame) -> go.Figure:
    """One panel beside the other, as many as the frame has; a trace a quantity, in the frame's order.

    curves: step, panel, quantity, value, tidy; a quantity's name may end in ", last n steps", the window it counts over.

    Raises:
        InputError: a frame with other columns, or an unknown panel.
    """
    panels = _panels(curves)
    figure = make_subplots(
        cols=max(1, len(panels)),
        specs=[[dict(secondary_y=bool(panel.right)) for panel in panels] or [{}]],
        subplot_titles=[f"<b>{panel.title}</b>" for panel in panels],
        horizontal_spacing=0.26 / max(1, len(panels)),
    )
    for position, panel in enumerate(panels, start=1):
        _draw_panel(figure, position, panel, curves[curves["panel"] == panel.name])
    style_figure(figure, title=_title(curves), height=330)
    figure.update_layout(margin=dict(t=104, l=52, r=52 if panels and panels[-1].right else 12), hovermode="x unified")
    figure.update_annotations(font_size=13, yshift=22)
    figure.update_xaxes(title_text=STEPS, tickformat="~s", nticks=5)
    say_when_empty(figure, NOTHING_LOGGED, empty=curves.empty)
    return figure


def publish_training_curves(curves: pd.DataFrame) -> Figure:
    """What `draw_training_curves` shows, to print. Arguments and errors are the same."""
    panels = _panels(curves)
    with publication_style():
        if not panels:
            return publish_sentence(new_figure(7, 2), NOTHING_LOGGED)
        figure = new_figure(3.1 * len(panels), 2.9)
        for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            _publish_panel(axes, panel, curves[curves["panel"] == panel.name])
        figure.suptitle(_title(curves), x=0.01, ha="left", fontsize="large")
    return figure


def _panels(curves: pd.DataFrame) -> list[_Panel]:
    if list(curves.columns) != COLUMNS:
        raise InputError(f"a frame with the columns {list(curves.columns)}: give one with {', '.join(COLUMNS)}")
    names = curves["panel"].unique().tolist()
    for name in names:
        if name not in PANELS:
            raise InputError(f"unknown panel {name!r}: choose of {', '.join(PANELS)}")
    return [PANELS[name] for name in names]


def _draw_panel(figure: go.Figure, position: int, panel: _Panel, curves: pd.DataFrame) -> None:
    legend = "legend" if position == 1 else f"legend{position}"
    for quantity, line in _lines(curves).items():
        values = curves[curves["quantity"] == quantity]
        name = quantity.partition(", last ")[0]
        figure.add_trace(
            go.Scatter(
                x=values["step"].to_numpy(dtype=np.float32),
                y=values["value"].to_numpy(dtype=np.float32),
                mode="lines",
                name=name,
                legend=legend,
                line=dict(width=2, **line),
                hovertemplate="%{y:.4~g}",
            ),
            row=1,
            col=position,
            secondary_y=quantity.startswith(panel.on_right),
        )
    domain = next(figure.select_xaxes(row=1, col=position)).domain
    figure.update_layout(
        {
            legend: dict(
                x=domain[0], xanchor="left", y=1.0, yanchor="bottom", orientation="h",
                font_size=11, itemwidth=30, bgcolor="rgba(0,0,0,0)", tracegroupgap=0,
            )
        }
    )  # fmt: skip
    axis = dict(row=1, col=position)
    figure.update_yaxes(title_text=panel.left, type="log" if panel.log else "linear", secondary_y=False, **axis)
    if not panel.log:
        figure.update_yaxes(rangemode="tozero", **axis)
    if panel.right:
        colour = LINES["encoder gain, mean"]["color"]
        figure.update_yaxes(
            title=dict(text=panel.right, font_color=colour), tickfont_color=colour, rangemode="tozero", showgrid=False,
            secondary_y=True, **axis,
        )  # fmt: skip


def _publish_panel(axes: Axes, panel: _Panel, curves: pd.DataFrame) -> None:
    right = axes.twinx() if panel.right else None
    for quantity, line in _lines(curves).items():
        target = right if right is not None and quantity.startswith(panel.on_right) else axes
        seaborn.lineplot(
            curves[curves["quantity"] == quantity],
            x="step",
            y="value",
            ax=target,
            errorbar=None,
            color=line["color"],
            linestyle=MATPLOTLIB_DASHES[line.get("dash", "solid")],
            label=quantity.partition(", last ")[0],
            legend=False,
        )
    axes.set(xlabel=STEPS, ylabel=panel.left)
    axes.set_title(panel.title, loc="left", fontweight="bold")
    if panel.log:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    seaborn.despine(ax=axes)
    handles = axes.get_lines()
    if right is not None:
        colour = LINES["encoder gain, mean"]["color"]
        right.set_ylabel(panel.right, color=colour)
        right.tick_params(axis="y", colors=colour)
        right.set_ylim(bottom=0)
        right.grid(visible=False)
        seaborn.despine(ax=right, right=False)
        handles = [*handles, *right.get_lines()]
    (right or axes).legend(handles=handles, frameon=False, fontsize="small")


def _lines(curves: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Each quantity of one panel, and how its line looks."""
    quantities = [name for name in curves["quantity"].unique() if not name.startswith("tokens")]
    lines, free = {}, iter(COLOURS * len(quantities))
    for quantity in quantities:
        known = LINES.get(quantity.partition(", last ")[0])
        lines[quantity] = known or dict(color=next(free))
    return lines


def _title(curves: pd.DataFrame) -> str:
    """How far training is, and over how many tokens the usage is counted."""
    if curves.empty:
        return "Training"
    title = f"Training, {int(curves['step'].max()):,d} steps"
    tokens = curves[curves["quantity"].str.startswith("tokens, ")]
    if tokens.empty:
        return title
    window = tokens["quantity"].iloc[-1].partition(", ")[2]
    return f"{title}; usage over the {window}, N = {int(tokens['value'].iloc[-1]):,d} tokens"
