"""Size, use and shape of the cells of codes against the density of the latents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lgq_explore.frames.geometry import ANISOTROPY, CODE_CELLS, DENSITY_EXPONENTS, OCCUPANCY, VOLUME

from ..paper import legend_above
from ..printing import RARE_COLOURS, panel_grid, publication_style, publish_title
from ..style import DEAD, GUIDE, INK, VERMILION, Title

X_TITLE = "log density of the cell's latents, nats"
COLOURS = "viridis"
GRID_EXPONENTS = {VOLUME: 0.0, OCCUPANCY: 1.0}


@dataclass(frozen=True)
class _Panel:
    column: str
    title: str
    log: bool


PANELS = (
    _Panel(VOLUME, "volume of the cell", log=True),
    _Panel(OCCUPANCY, "occupancy, share of tokens", log=True),
    _Panel(ANISOTROPY, "anisotropy P/d_eff", log=False),
)


def publish_code_cells(cells: pd.DataFrame, exponents: pd.DataFrame, *, name: str = "") -> Figure:
    """Volume, occupancy and anisotropy of each cell against the latents' density there; a dot per code that is used.

    cells, exponents: of `analysis.geometry.code_cells` and `density_exponents`. name: the run's, for the title. Colour
    is anisotropy, grey where there are too few tokens for it. Red: the fitted power of the density; black and dashed:
    theory's for an optimal codebook; dotted: a uniform grid's; all through the middle of the cells.

    Raises:
        InputError: a column is missing, or there are no rows.
    """
    CODE_CELLS.require_rows(cells)
    DENSITY_EXPONENTS.require_rows(exponents)
    used = cells[cells["count"] > 0]
    with publication_style():
        figure, grid = panel_grid(3, 3, 3.5, 3.7, palette=RARE_COLOURS)
        for axes, panel in zip(grid, PANELS, strict=True):
            _publish_panel(axes, used, panel)
            for line in _lines(cells, exponents, panel):
                axes.plot(line.x, line.y, color=line.colour, linestyle=line.style, linewidth=1.8, label=line.label)
            if panel.column in GRID_EXPONENTS:
                legend_above(axes)
            seaborn.despine(ax=axes)
        publish_title(figure, _title(cells, exponents, name))
    return figure


def _publish_panel(axes: Axes, used: pd.DataFrame, panel: _Panel) -> None:
    shaped = used[ANISOTROPY].notna()
    dots: dict[str, Any] = {"s": 9, "linewidths": 0}
    axes.scatter(used.loc[~shaped, "mean_log_density"], used.loc[~shaped, panel.column], color=DEAD, **dots)
    axes.scatter(
        used.loc[shaped, "mean_log_density"],
        used.loc[shaped, panel.column],
        c=used.loc[shaped, ANISOTROPY],
        cmap=COLOURS,
        **dots,
    )
    axes.set(xlabel=X_TITLE, ylabel=panel.title.replace("d_eff", r"$d_\mathrm{eff}$"))
    if panel.log:
        axes.set_yscale("log")


@dataclass(frozen=True, eq=False)
class _Line:
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    label: str
    colour: str
    style: str


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
        _Line(ends, np.exp(row["level"] + exponent * (ends - row["centre"])), label, colour, style)
        for exponent, label, colour, style in (
            (row["exponent"], f"fitted {_signed(row['exponent'])} {interval}", VERMILION, "-"),
            (row["theory"], f"optimum {_signed(row['theory'])}", INK, "--"),
            (GRID_EXPONENTS[panel.column], f"uniform grid {GRID_EXPONENTS[panel.column]:.0f}", GUIDE, ":"),
        )
    ]


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _title(cells: pd.DataFrame, exponents: pd.DataFrame, name: str) -> Title:
    first, used, fitted = cells.iloc[0], int((cells["count"] > 0).sum()), exponents.iloc[0]
    kept, fewest = int(fitted["cells"]), int(fitted["fewest_tokens"])
    return Title(
        f"Cells of {name}" if name else "Cells",
        f"N = {int(first['tokens']):,d} tokens, {used:,d} of {len(cells):,d} codes used, {kept:,d} fitted "
        f"(≥ {fewest} tokens); m = {first['dimension']:.1f}; "
        f"colour: anisotropy, grey under {first['shape_tokens']:.0f} tokens",
    )
