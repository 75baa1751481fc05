"""How do size, use and shape of the codes' cells follow the density of the latents?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lgq_explore.errors import InputError

from ..style import (
    DEAD,
    GUIDE,
    INK,
    RARE_COLOURS,
    VERMILION,
    Title,
    axis,
    layout,
    new_figure,
    publication_style,
    publish_title,
)

CELL_COLUMNS = {
    "code",
    "count",
    "mean_log_density",
    "volume",
    "occupancy",
    "anisotropy",
    "tokens",
    "dimension",
    "shape_tokens",
}
EXPONENT_COLUMNS = {"quantity", "exponent", "low", "high", "theory", "cells", "fewest_tokens", "centre", "level"}
X_TITLE = "log density of the cell's latents, nats"
COLOURS = "viridis"
DASHES = {"solid": "-", "dash": "--", "dot": ":"}
GRID_EXPONENTS = {"volume": 0.0, "occupancy": 1.0}


@dataclass(frozen=True)
class _Panel:
    column: str
    title: str
    log: bool


PANELS = (
    _Panel("volume", "volume of the cell", log=True),
    _Panel("occupancy", "occupancy, share of tokens", log=True),
    _Panel("anisotropy", "anisotropy E/d_eff", log=False),
)


def draw_code_cells(cells: pd.DataFrame, exponents: pd.DataFrame, *, name: str = "") -> go.Figure:
    """Volume, occupancy and anisotropy of each cell against the latents' density there; a dot a code that is used.

    cells, exponents: of `analysis.geometry.code_cells` and `density_exponents`. name: the run's, for the title. In the
    first two panels, colour is anisotropy, grey where there are too few tokens for it; red: the fitted power of the
    density, black and dashed: theory's for an optimal codebook, dotted: a uniform grid's, all through the middle of the
    cells. A dot's customdata is its code and the number of its tokens. Traces of a panel: grey dots, coloured ones,
    lines.

    Raises:
        InputError: a frame of something else.
    """
    _require(cells, exponents)
    used = cells[cells["count"] > 0]
    traces: list[Any] = []
    axes: dict[str, Any] = {}
    for number, panel in enumerate(PANELS):
        place = str(number + 1) if number else ""
        traces += [*_dots(used, panel, place), *_drawn_lines(_lines(cells, exponents, panel), place)]
        left = number * 0.355
        axes["legend" + place] = {"x": left, "y": 1, "xanchor": "left", "yanchor": "bottom", "font": {"size": 11}}
        scale: dict[str, Any] = {"type": "log", "dtick": 1, "tickformat": "~g"} if panel.log else {}
        axes["xaxis" + place] = axis(X_TITLE, domain=[left, left + 0.29], anchor="y" + place)
        axes["yaxis" + place] = axis(panel.title, anchor="x" + place, **scale)
    return go.Figure(
        traces,
        layout(
            _title(cells, exponents, name),
            height=400,
            margin={"l": 64, "r": 12, "t": 108, "b": 52},
            **axes,
        ),
    )


def publish_code_cells(cells: pd.DataFrame, exponents: pd.DataFrame, *, name: str = "") -> Figure:
    """What `draw_code_cells` shows, to print. Arguments and errors are the same."""
    _require(cells, exponents)
    used = cells[cells["count"] > 0]
    with publication_style():
        figure = new_figure(10.5, 3.7, palette=RARE_COLOURS)
        for axes, panel in zip(figure.subplots(1, 3), PANELS, strict=True):
            _publish_panel(axes, used, panel)
            for line in _lines(cells, exponents, panel):
                axes.plot(line.x, line.y, color=line.colour, linestyle=line.linestyle, linewidth=1.8, label=line.label)
            if panel.column in GRID_EXPONENTS:
                axes.legend(frameon=False, fontsize="small", loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0)
            seaborn.despine(ax=axes)
        publish_title(figure, _title(cells, exponents, name))
    return figure


def _publish_panel(axes: Axes, used: pd.DataFrame, panel: _Panel) -> None:
    shaped = used["anisotropy"].notna()
    dots: dict[str, Any] = {"s": 9, "linewidths": 0}
    axes.scatter(used.loc[~shaped, "mean_log_density"], used.loc[~shaped, panel.column], color=DEAD, **dots)
    axes.scatter(
        used.loc[shaped, "mean_log_density"],
        used.loc[shaped, panel.column],
        c=used.loc[shaped, "anisotropy"],
        cmap=COLOURS,
        **dots,
    )
    axes.set(xlabel=X_TITLE, ylabel=panel.title.replace("d_eff", r"$d_\mathrm{eff}$"))
    if panel.log:
        axes.set_yscale("log")


def _dots(used: pd.DataFrame, panel: _Panel, place: str) -> list[go.Scattergl]:
    """Codes with too few tokens for a shape, in grey, then the others."""
    shaped = used["anisotropy"].notna()
    colours: list[dict[str, Any]] = [
        {"color": DEAD},
        {"color": used.loc[shaped, "anisotropy"].to_numpy(), "colorscale": COLOURS.capitalize()},
    ]
    return [
        go.Scattergl(
            x=rows["mean_log_density"].to_numpy(),
            y=rows[panel.column].to_numpy(),
            customdata=rows[["code", "count"]].to_numpy(),
            mode="markers",
            showlegend=False,
            marker={"size": 5, "line": {"width": 0}} | colour,
            hovertemplate="code %{customdata[0]}, %{customdata[1]} tokens"
            f"<br>{panel.title} %{{y:.3~g}}<extra></extra>",
            xaxis="x" + place,
            yaxis="y" + place,
        )
        for rows, colour in zip((used[~shaped], used[shaped]), colours, strict=True)
    ]


@dataclass(frozen=True, eq=False)
class _Line:
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    label: str
    colour: str
    dash: str

    @property
    def linestyle(self) -> str:
        return DASHES[self.dash]


def _lines(cells: pd.DataFrame, exponents: pd.DataFrame, panel: _Panel) -> list[_Line]:
    """Powers of the density through the middle of the fitted cells, over their densities."""
    found = exponents[exponents["quantity"] == panel.column]
    if panel.column not in GRID_EXPONENTS or found.empty:
        return []
    row = found.iloc[0]
    fitted = cells.loc[cells["count"] >= row["fewest_tokens"], "mean_log_density"]
    ends = np.array([fitted.min(), fitted.max()])
    interval = f"[{_signed(row['low'])}, {_signed(row['high'])}]"
    return [
        _Line(ends, np.exp(row["level"] + exponent * (ends - row["centre"])), label, colour, dash)
        for exponent, label, colour, dash in (
            (row["exponent"], f"fitted {_signed(row['exponent'])} {interval}", VERMILION, "solid"),
            (row["theory"], f"optimum {_signed(row['theory'])}", INK, "dash"),
            (GRID_EXPONENTS[panel.column], f"uniform grid {GRID_EXPONENTS[panel.column]:.0f}", GUIDE, "dot"),
        )
    ]


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _drawn_lines(lines: list[_Line], place: str) -> list[go.Scatter]:
    return [
        go.Scatter(
            x=line.x,
            y=line.y,
            mode="lines",
            name=line.label,
            line={"color": line.colour, "dash": line.dash, "width": 2},
            hoverinfo="skip",
            legend="legend" + place,
            xaxis="x" + place,
            yaxis="y" + place,
        )
        for line in lines
    ]


def _require(cells: pd.DataFrame, exponents: pd.DataFrame) -> None:
    for frame, columns, maker in (
        (cells, CELL_COLUMNS, "code_cells"),
        (exponents, EXPONENT_COLUMNS, "density_exponents"),
    ):
        if frame.empty or not columns <= set(frame.columns):
            raise InputError(
                f"a frame of {len(frame)} rows with the columns {list(frame.columns)}: give one of {maker}"
            )


def _title(cells: pd.DataFrame, exponents: pd.DataFrame, name: str) -> Title:
    first, used, fitted = cells.iloc[0], int((cells["count"] > 0).sum()), exponents.iloc[0]
    kept, fewest = int(fitted["cells"]), int(fitted["fewest_tokens"])
    return Title(
        f"Cells of {name}" if name else "Cells",
        f"N = {int(first['tokens']):,d} tokens, {used:,d} of {len(cells):,d} codes used, {kept:,d} fitted "
        f"(≥ {fewest} tokens); m = {first['dimension']:.1f}; "
        f"colour: anisotropy, grey under {first['shape_tokens']:.0f} tokens",
    )
