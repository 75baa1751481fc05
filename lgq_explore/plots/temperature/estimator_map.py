"""How truly LGQ and the straight-through estimator point, at each temperature and for each width of the noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from lgq_explore.frames.temperature import ESTIMATOR_MAP, LGQ, STRAIGHT_THROUGH

from ..paper import legend_below
from ..printing import panel_grid, publication_style, publish_title
from ..style import BLACK, VERMILION, Title

COLOURS = "Blues"
SHOWN = (LGQ, STRAIGHT_THROUGH)
BEST: dict[str, Any] = {
    "marker": "o",
    "markersize": 17,
    "markerfacecolor": "none",
    "markeredgecolor": VERMILION,
    "linestyle": "",
}
MATCHED: dict[str, Any] = {"color": VERMILION, "linestyle": "--", "linewidth": 1.8}
HELD: dict[str, Any] = {"color": BLACK, "linestyle": ":", "linewidth": 1.5, "alpha": 0.6}


def publish_estimator_map(estimators: pd.DataFrame, temperature: float | None = None) -> Figure:
    """Cosine of LGQ and of the straight-through estimator with the true gradient, over σ and τ, in two panels.

    estimators: of `analysis.temperature.estimator_map`. Bold numbers of LGQ are above those of the straight-through
    estimator; a ring is the best temperature of a σ, unless that is at an end; the dashed line is the matched
    one. temperature: a dotted line, such
    as the one that training ended with.

    Raises:
        InputError: a column is missing, or there are no rows.
    """
    ESTIMATOR_MAP.require_rows(estimators)
    tables = {
        name: rows.pivot(index="temperature", columns="sigma", values="cosine").sort_index(ascending=False)
        for name, rows in estimators.groupby("estimator", sort=False)
        if name in SHOWN
    }
    with publication_style():
        figure, grid = panel_grid(max(1, len(tables)), 2, 4.8, 4.6)
        for axes, (name, table) in zip(grid, tables.items(), strict=False):
            _heat_map(axes, table)
            axes.set_title(str(name), loc="left", fontsize="medium")
            axes.set(xlabel=_noise(estimators), ylabel="temperature τ")
            if temperature is not None:
                axes.axhline(_places([temperature], table.index)[0], **HELD)
        if LGQ in tables:
            _mark_lgq(grid[list(tables).index(LGQ)], tables, estimators)
        legend_below(figure, _handles(estimators, temperature))
        publish_title(figure, _title(estimators))
    return figure


def _heat_map(axes: Axes, table: pd.DataFrame) -> None:
    seaborn.heatmap(
        table,
        ax=axes,
        annot=True,
        fmt=".2f",
        annot_kws={"fontsize": "x-small"},
        cmap=COLOURS,
        vmin=0,
        vmax=1,
        linewidths=0.5,
        cbar=False,
        xticklabels=[f"{sigma:.3g}" for sigma in table.columns],
        yticklabels=[f"{temperature:.3g}" for temperature in table.index],
    )
    axes.tick_params(length=0, labelrotation=0)


def _mark_lgq(axes: Axes, tables: dict[str, pd.DataFrame], estimators: pd.DataFrame) -> None:
    """The best temperature of each σ, the matched one, and the cells where LGQ points better."""
    table = tables[LGQ]
    if STRAIGHT_THROUGH in tables:
        ahead = (table > tables[STRAIGHT_THROUGH]).to_numpy().flatten()
        told = table.notna().to_numpy().flatten()
        for text, leads in zip(axes.texts, ahead[told], strict=True):
            text.set_fontweight("bold" if leads else "normal")
    best = table.dropna(axis="columns").idxmax()
    best = best[(best > table.index.min()) & (best < table.index.max())]  # at an end it may lie beyond
    axes.plot(_places(best.index, table.columns), _places(best, table.index), **BEST)
    matched = estimators.groupby("sigma")["matched_temperature"].first()
    axes.plot(_places(matched.index, table.columns), _places(matched, table.index), **MATCHED)
    axes.set(xlim=(0, table.shape[1]), ylim=(table.shape[0], 0))


def _places(values: ArrayLike, cells: pd.Index) -> NDArray[np.float64]:
    """Where values lie among the middles of a heat map's cells, on a log scale, and beyond their ends in proportion."""
    logs = np.log(cells.to_numpy(dtype=np.float64))
    if len(logs) < 2:
        return np.full(np.shape(values), 0.5)
    sought = np.log(np.asarray(values, dtype=np.float64))
    order = np.argsort(logs)
    below = np.clip(np.searchsorted(logs[order], sought) - 1, 0, len(logs) - 2)
    first, second = order[below], order[below + 1]
    share = (sought - logs[first]) / (logs[second] - logs[first])
    return first + share * (second - first) + 0.5


def _noise(estimators: pd.DataFrame) -> str:
    return f"σ of the noise (of rounding itself: {estimators['rounding_error'].iloc[0]:.2g})"


def _handles(estimators: pd.DataFrame, temperature: float | None) -> list[Line2D]:
    spacing = estimators["spacing"].iloc[0]
    handles = [
        Line2D([], [], label="LGQ at its best; bold where it leads", **{**BEST, "markersize": 9}),
        Line2D([], [], label=rf"$\tau^* = \sqrt{{\pi/2}}\,\Delta\,\sigma$, Δ = {spacing:.2f}", **MATCHED),
    ]
    if temperature is not None:
        handles.append(Line2D([], [], label=f"τ = {temperature:.2g}", **HELD))
    return handles


def _title(estimators: pd.DataFrame) -> Title:
    first = estimators.iloc[0]
    return Title(
        "Who points where the loss falls",
        f"cosine with the gradient under noise, N = {int(first['tokens']):,d} tokens, "
        f"{int(first['pairs'])} antithetic pairs",
    )
