"""Agreement of the codes of several runs, beside that by chance."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn
from matplotlib.figure import Figure

from lgq_explore.frames.comparison import AGREEMENT

from ..paper import legend_above
from ..printing import new_figure, publication_style, publish_title
from ..style import BLUE, GUIDE, Title, printed_text

X_TITLE = "adjusted mutual information of codes at the same places"
SAME, OTHER = "the same images", "other images, ± 2 s.d."
ROW_PIXELS, ROW_INCHES = 34, 0.34


def publish_agreement(agreement: pd.DataFrame) -> Figure:
    """One row per pair of runs, from 0 (chance) to 1 (codes differ in name only); grey: what other images give.

    agreement: of `analysis.comparison.agreement`.

    Raises:
        InputError: a column is missing, or there are no rows.
    """
    AGREEMENT.require_rows(agreement)
    places = np.arange(len(agreement))
    with publication_style():
        figure = new_figure(7, 1.5 + ROW_INCHES * len(agreement))
        axes = figure.subplots()
        spread = 2 * agreement["null_spread"]
        axes.errorbar(agreement["null"], places, xerr=spread, fmt="|", markersize=9, color=GUIDE, label=OTHER)
        axes.scatter(agreement["agreement"], places, color=BLUE, s=36, label=SAME, zorder=3)
        axes.set(xlim=(min(0.0, 1.1 * _lowest(agreement)), 1), xlabel=X_TITLE, ylim=(len(agreement) - 0.5, -0.5))
        axes.set_yticks(places, [printed_text(pair) for pair in _pairs(agreement)])
        axes.grid(axis="y", visible=False)
        legend_above(axes)
        seaborn.despine(ax=axes)
        publish_title(figure, _title(agreement))
    return figure


def _pairs(agreement: pd.DataFrame) -> list[str]:
    return [f"{first} – {second}" for first, second in zip(agreement["first"], agreement["second"], strict=True)]


def _lowest(agreement: pd.DataFrame) -> float:
    return float(min(agreement["agreement"].min(), (agreement["null"] - 2 * agreement["null_spread"]).min()))


def _title(agreement: pd.DataFrame) -> Title:
    first = agreement.iloc[0]
    crops, photographs = int(first["images"]), int(first["photographs"])
    counted = f"N = {int(first['tokens']):,d} tokens of {crops} crops, {photographs} photographs"
    unequal = agreement["unequal_phase"].replace("", np.nan).dropna().unique()
    return Title("Agreement of codes", ". ".join([counted, *unequal]))
