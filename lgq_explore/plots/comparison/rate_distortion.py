"""PSNR against bits: methods over their codebook sizes, and one tokenizer whose codes are taken away."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lgq_explore.frames.comparison import GROUP_NUMBERS, PRUNING
from lgq_explore.frames.quantities import counted

from ..paper import legend_above
from ..printing import new_figure, publication_style, publish_title
from ..run_looks import rows_of_runs
from ..style import BLACK, Title, method_colour, printed_text

RATE, DISTORTION = "entropy_bits", "psnr_db"
BITS_TITLE, PSNR_TITLE = "entropy, bits per token", "PSNR, dB"


def publish_rate_distortion(numbers: pd.DataFrame, bits: float | None = None) -> Figure:
    """PSNR against entropy: a line through the codebook sizes of each method, a dashed one for a method without codes.

    numbers: of `analysis.comparison.group_numbers`. Bars are intervals, where there are some. bits: where a cursor
    stands, if there is one.

    Raises:
        InputError: a column is missing, or there are no rows.
    """
    GROUP_NUMBERS.require_rows(numbers)
    points = group_points(numbers)
    with publication_style():
        figure = new_figure(6.5, 4.2)
        axes = figure.subplots()
        for method, rows in points.groupby("method", sort=False):
            _publish_method(axes, str(method), rows.sort_values(RATE))
        if bits is not None:
            axes.axvline(bits, color=BLACK, linewidth=1.2)
        axes.set(xlabel=BITS_TITLE, ylabel=PSNR_TITLE)
        legend_above(axes)
        seaborn.despine(ax=axes)
        first = numbers.iloc[0]
        seeds = counted(int(numbers["seeds"].min()), "seed")
        of = f"{counted(int(first['photographs']), 'held-out photograph')}, {seeds} or more"
        publish_title(figure, Title("Rate and distortion", of))
    return figure


def _publish_method(axes: Axes, method: str, rows: pd.DataFrame) -> None:
    colour, label = method_colour(method), printed_text(method)
    without_codes = rows[rows[RATE].isna()]
    for value in without_codes[DISTORTION]:
        axes.axhline(value, color=colour, linestyle="--", linewidth=1.4, label=f"{label} (no codes)")
    coded = rows.dropna(subset=RATE)
    if coded.empty:
        return
    bars: dict[str, Any] = {
        side: [list(coded[column] - coded[f"{column}_low"]), list(coded[f"{column}_high"] - coded[column])]
        for side, column in (("xerr", RATE), ("yerr", DISTORTION))
        if coded[f"{column}_low"].notna().all()
    }
    axes.errorbar(coded[RATE], coded[DISTORTION], fmt="o-", markersize=6, capsize=3, color=colour, label=label, **bars)
    if len(coded) > 1:
        for _, row in coded.iterrows():
            place = (row[RATE], row[DISTORTION])
            axes.annotate(
                f"{row['codebook_size']:,.0f}", place, xytext=(4, -11), textcoords="offset points", fontsize="x-small"
            )


def group_points(numbers: pd.DataFrame) -> pd.DataFrame:
    """One row per group with its rate and distortion and their intervals."""
    rows = []
    for name, group in numbers.groupby("group", sort=False):
        of_number = group.set_index("number")
        row = {"group": name, "method": group["method"].iloc[0], "codebook_size": group["codebook_size"].iloc[0]}
        for number in (RATE, DISTORTION):
            found = of_number.loc[number] if number in of_number.index else {}
            for column, key in (("estimate", number), ("low", f"{number}_low"), ("high", f"{number}_high")):
                row[key] = found[column] if len(found) else math.nan
        rows.append(row)
    return pd.DataFrame(rows).dropna(subset=DISTORTION)


def publish_pruning(pruning: pd.DataFrame, methods: Mapping[str, str], runs: str = "") -> Figure:
    """PSNR against the number of codes kept, a line for each run.

    pruning: of `analysis.comparison.pruning`, several runs in one. methods: each run's name and method. runs: which
    they are, in words, for the title.

    Raises:
        InputError: a column is missing, there are no rows, or a run's method is not said.
    """
    with publication_style():
        figure = new_figure(6.5, 4.2)
        axes = figure.subplots()
        for one in rows_of_runs(pruning, PRUNING, methods):
            rows = one.rows.sort_values("kept")
            look: dict[str, Any] = {"color": one.look.colour, "linestyle": one.look.linestyle}
            axes.plot(rows["kept"], rows["psnr_db"], "o", markersize=5, label=one.printed, **look)
        axes.set_xscale("log", base=2)
        axes.set(xlabel="codes kept, the most used ones", ylabel=PSNR_TITLE)
        legend_above(axes)
        seaborn.despine(ax=axes)
        detail = "; ".join(filter(None, [runs, _counted(pruning)]))
        publish_title(figure, Title("Codes taken away without training again", detail))
    return figure


def _counted(pruning: pd.DataFrame) -> str:
    first = pruning.iloc[0]
    return f"{int(first['crops']):,d} crops of {int(first['photographs']):,d} photographs"
