"""Figures of the cost of each method against the codebook size."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import seaborn
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

from lgq_explore.errors import InputError
from lgq_explore.plots.printing import new_figure, publication_style, publish_sentence, publish_title
from lgq_explore.plots.style import BLACK, BLUE, GREEN, GUIDE, METHOD_COLOURS, PURPLE, VERMILION, Title, method_colour


@dataclass(frozen=True)
class _Look:
    colour: str
    marker: str
    dashes: tuple[float, ...] = ()


ASSIGNMENT_LOOKS = {
    "dense": _Look(BLACK, "s"),
    "lgq": _Look(BLUE, "o"),
    # Its memory is that of dense, which has to be seen below it.
    "VectorQuantize": _Look(PURPLE, "v", dashes=(3, 1.5)),
    "SimVQ": _Look(GREEN, "D"),
    "FSQ": _Look(VERMILION, "P"),
}
"""Looks of the compared assignments; the library's classes have the colours of their methods."""
METHOD_MARKERS = dict(zip(METHOD_COLOURS, "opPDdv^", strict=True))

COST_COLUMNS = [
    *("method", "tokens", "codes", "dim", "seconds", "megabytes", "computed_megabytes"),
    *("times_faster", "times_less_memory"),
]
SHARE_COLUMNS = ["method", "codes", "share"]
NOTHING_MEASURED = "Nothing has been measured yet."


@dataclass(frozen=True)
class _Quantity:
    """A column of the costs, the labels of its panel, and the column with the ratio of dense to LGQ."""

    column: str
    heading: str
    unit: str
    ratio: str


QUANTITIES = (
    _Quantity("seconds", "Time", "CPU seconds per step", "times_faster"),
    _Quantity("megabytes", "Memory", "MB a step", "times_less_memory"),
)


def publish_assignment_costs(costs: pd.DataFrame, temperature: float) -> Figure:
    """Time and memory of each method by its number of codes, with how many times less LGQ takes than `dense`.

    costs: one row per method ("dense", "lgq", …) and number of codes, for one number of tokens and one dim. Cases
    that were not run have NaN for seconds and megabytes; their computed_megabytes are drawn hollow. LGQ's rows have the
    ratios. temperature: of LGQ and `dense`.

    Raises:
        InputError: a frame with other columns or methods, or with more than one number of tokens or dim.
    """
    _check_columns(costs, COST_COLUMNS)
    if costs.empty:
        return _publish_nothing()
    if len(costs[["tokens", "dim"]].drop_duplicates()) > 1:
        raise InputError("costs of several numbers of tokens or dims: give those of one")
    if unknown := sorted(set(costs["method"]) - ASSIGNMENT_LOOKS.keys()):
        raise InputError(f"unknown method {unknown[0]!r}: choose from {', '.join(ASSIGNMENT_LOOKS)}")
    with publication_style():
        figure = new_figure(8.4, 3.7)
        for axes, quantity in zip(figure.subplots(1, 2), QUANTITIES, strict=True):
            _publish_costs(axes, costs, quantity)
        handles: dict[str, Artist] = {}
        for axes in figure.axes:
            of_axes, labels = axes.get_legend_handles_labels()
            handles |= dict(zip(labels, of_axes, strict=True))
        figure.legend(handles.values(), handles, loc="outside lower center", ncols=len(handles), frameon=False)
        tokens, dim = costs.loc[costs.index[0], ["tokens", "dim"]]
        detail = f"N = {tokens:,d} tokens, D = {dim}, τ = {temperature:g}; numbers: dense ÷ lgq"
        publish_title(figure, Title("A step of soft assignment", detail))
    return figure


def publish_quantizer_shares(shares: pd.DataFrame) -> Figure:
    """The quantizer's share of a training step by its number of codes, one line per method.

    shares: method, codes, share in [0, 1] (NaN if it was not measured). Raises InputError for other columns.
    """
    _check_columns(shares, SHARE_COLUMNS)
    if shares.empty:
        return _publish_nothing()
    methods = shares["method"].unique().tolist()
    with publication_style():
        figure = new_figure(5.4, 3.4)
        axes = figure.subplots()
        seaborn.lineplot(
            shares.assign(percent=100 * shares["share"]),
            x="codes",
            y="percent",
            hue="method",
            style="method",
            markers={method: METHOD_MARKERS.get(method, "o") for method in methods},
            dashes=False,
            palette={method: method_colour(method) for method in methods},
            ax=axes,
        )
        _label_codes(axes, shares["codes"])
        axes.set(ylabel="share of a training step, %", ylim=(0, 100))
        axes.legend(title=None, frameon=False)
        seaborn.despine(ax=axes)
        publish_title(figure, Title("The quantizer in a training step", "forward and backward"))
    return figure


def _publish_costs(axes: Axes, costs: pd.DataFrame, quantity: _Quantity) -> None:
    measured = costs.dropna(subset=[quantity.column])
    looks = {name: look for name, look in ASSIGNMENT_LOOKS.items() if name in set(measured["method"])}
    seaborn.lineplot(
        measured,
        x="codes",
        y=quantity.column,
        hue="method",
        style="method",
        hue_order=looks,
        style_order=looks,
        palette={name: look.colour for name, look in looks.items()},
        markers={name: look.marker for name, look in looks.items()},
        dashes={name: look.dashes for name, look in looks.items()},
        ax=axes,
    )
    if legend := axes.get_legend():  # replaced by a common legend below
        legend.remove()
    computed = costs[costs["megabytes"].isna() & (costs["computed_megabytes"] > 0)]
    if quantity.column == "megabytes" and len(computed):
        _publish_computed(axes, computed)
    for _, row in costs.dropna(subset=[quantity.column, quantity.ratio]).iterrows():
        _publish_ratio(axes, row, quantity)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:,g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel(quantity.unit)
    axes.set_title(quantity.heading, loc="left", fontweight="bold")
    _label_codes(axes, costs["codes"])
    seaborn.despine(ax=axes)


def _publish_computed(axes: Axes, not_run: pd.DataFrame) -> None:
    axes.plot(
        not_run["codes"],
        not_run["computed_megabytes"],
        linestyle="none",
        marker="s",
        markerfacecolor="white",
        markeredgecolor=BLACK,
        label="computed, not run",
    )


def _publish_ratio(axes: Axes, row: pd.Series, quantity: _Quantity) -> None:
    """A line from LGQ's marker up to that of dense, with the ratio at its lower end."""
    cost, ratio = row[quantity.column], row[quantity.ratio]
    axes.vlines(row["codes"], cost, cost * ratio, color=GUIDE, linewidth=0.7, zorder=1)
    text = f"{ratio:,.0f}×" if ratio >= 10 else f"{ratio:.2g}×"
    axes.annotate(text, (row["codes"], cost), (5, 10), textcoords="offset points", color=BLUE, fontsize="small")


def _label_codes(axes: Axes, codes: pd.Series) -> None:
    """A tick at each number of codes; of products of levels, which lie close to these, only at powers of two."""
    axes.set_xscale("log", base=2)
    sizes = sorted(set(codes))
    axes.xaxis.set_major_locator(FixedLocator([size for size in sizes if size.bit_count() == 1] or sizes))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("codes K")


def _check_columns(frame: pd.DataFrame, columns: list[str]) -> None:
    if list(frame.columns) != columns:
        raise InputError(f"a frame with the columns {list(frame.columns)}: give one with {', '.join(columns)}")


def _publish_nothing() -> Figure:
    with publication_style():
        return publish_sentence(new_figure(6, 2), NOTHING_MEASURED)
