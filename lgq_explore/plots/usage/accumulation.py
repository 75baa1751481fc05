"""Active codes by the number of images, with a bootstrap band and the lower bound for more images."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import seaborn
from matplotlib.axes import Axes

from lgq_explore.frames.usage import ACCUMULATION

from ..line_ends import BAND_OPACITY, EndLabel, SeedGroup, band, named_at_ends, seed_groups
from ..live import Trace, live_figure
from ..paper import legend_above
from ..run_looks import RunRows, rows_of_runs
from ..style import CHART_HEIGHT, COUNTS, GUIDE, Title, axis, layout

X_TITLE, Y_TITLE = "images encoded", "active codes"


def draw_accumulation(accumulation: pd.DataFrame, methods: Mapping[str, str]) -> go.Figure:
    """Active codes by the number of images, with the bootstrap band; dotted: the Chao2 lower bound for more images.

    accumulation: that of `analysis.usage.accumulation`, of several runs.
    methods: each run's name and method. Four traces a run: band (two), curve, bound; and the codebook size. Runs that
    differ in their seed only share a band, which holds their curves. Lines are named at their ends.

    Raises:
        InputError: a column is missing, or a run's method is not said.
    """
    groups = seed_groups(rows_of_runs(accumulation, ACCUMULATION, methods))
    traces = [trace for group in groups for trace in _group_traces(group)]
    most_images, sizes = int(accumulation["images"].max()), _codebook_sizes(accumulation)
    traces += [_level(most_images, size, name, GUIDE, "dash") for size, name in sizes.items()]
    highest = 1.05 * max(sizes)
    labels = [
        *(EndLabel(_label(group.label, *group.parts), group.colour, _end(group) / highest) for group in groups),
        *(EndLabel(name, GUIDE, size / highest) for size, name in sizes.items() if name),
    ]
    return live_figure(
        traces,
        layout(
            _title(accumulation),
            xaxis=axis(X_TITLE, range=[0, most_images], tickformat=COUNTS),
            yaxis=axis(Y_TITLE, range=[0, highest], tickformat=COUNTS),
            **named_at_ends(labels, CHART_HEIGHT),
        ),
    )


def publish_accumulation(axes: Axes, accumulation: pd.DataFrame, methods: Mapping[str, str]) -> None:
    """What `usage.draw_accumulation` shows, drawn into printed axes. Arguments and errors are the same."""
    for part in rows_of_runs(accumulation, ACCUMULATION, methods):
        rows, colour = part.rows, part.look.colour
        axes.fill_between(rows["images"], rows["low"], rows["high"], color=colour, alpha=BAND_OPACITY, linewidth=0)
        style = part.look.linestyle
        axes.plot(rows["images"], rows["active_codes"], color=colour, linestyle=style, label=_label(part.printed, part))
        axes.axhline(_bound(part), color=colour, linestyle=":", linewidth=1.2)
    for size, name in _codebook_sizes(accumulation).items():
        axes.axhline(size, color=GUIDE, linestyle="--", linewidth=0.8, label=name or None)
    axes.set(xlabel=X_TITLE, ylabel=Y_TITLE, xlim=(0, accumulation["images"].max()), ylim=(0, None))
    title = _title(accumulation)
    legend_above(axes, f"{title.subject}; {title.detail}, dotted")
    seaborn.despine(ax=axes)


def _group_traces(group: SeedGroup) -> list[Trace]:
    """One run has a band of its own, from resampling; seeds share one, which holds their curves."""
    if len(group.parts) == 1:
        (part,) = group.parts
        images, rows = part.rows["images"], part.rows
        edges = band([(images, rows["low"]), (images, rows["high"])], group.colour)
        return [*edges, _curve(part, group.width), _bound_line(part)]
    curves = band([(part.rows["images"], part.rows["active_codes"]) for part in group.parts], group.colour)
    return [*curves, *(trace for part in group.parts for trace in (_curve(part, group.width), _bound_line(part)))]


def _curve(part: RunRows, width: float) -> Trace:
    rows, look = part.rows, part.look
    return {
        "type": "scatter",
        "x": rows["images"].to_numpy(),
        "y": rows["active_codes"].to_numpy(),
        "customdata": rows[["tokens", "low", "high"]].to_numpy(),
        "name": _label(part.live, part),
        "mode": "lines",
        "line": {"color": look.colour, "dash": look.dash, "width": width},
        "hovertemplate": f"{part.live}<br>%{{x:,d}} images, %{{customdata[0]:,d}} tokens: %{{y:,.0f}} codes"
        "<br>%{customdata[1]:,.0f} – %{customdata[2]:,.0f}<extra></extra>",
    }


def _bound_line(part: RunRows) -> Trace:
    return _level(int(part.rows["images"].iloc[-1]), _bound(part), "", part.look.colour, "dot")


def _end(group: SeedGroup) -> float:
    return float(np.mean([part.rows["active_codes"].iloc[-1] for part in group.parts]))


def _level(most_images: int, height: float, name: str, colour: str, dash: str) -> Trace:
    return {
        "type": "scatter",
        "x": [0, most_images],
        "y": [height, height],
        "mode": "lines",
        "name": name,
        "line": {"color": colour, "width": 1.2, "dash": dash},
        "hoverinfo": "skip",
    }


def _label(name: str, *parts: RunRows) -> str:
    bounds = sorted({f"{_bound(part):,.0f}": _bound(part) for part in parts}.items(), key=lambda item: item[1])
    return f"{name} (≥ {' – '.join(dict.fromkeys((bounds[0][0], bounds[-1][0])))})"


def _bound(part: RunRows) -> float:
    """The Chao2 bound, at most K, which the estimate alone may exceed."""
    return float(part.rows[["chao2", "codebook_size"]].iloc[0].min())


def _codebook_sizes(accumulation: pd.DataFrame) -> dict[int, str]:
    """Codebook size → its entry in the legend; several sizes share one entry."""
    sizes = sorted(set(accumulation["codebook_size"].tolist()))
    return dict.fromkeys(sizes, "") | {sizes[-1]: "K = " + ", ".join(f"{size:,d}" for size in sizes)}


def _title(accumulation: pd.DataFrame) -> Title:
    unit = " and ".join(f"{unit}s" for unit in accumulation["unit"].unique())
    return Title("Accumulation", f"band: {unit} resampled; ≥: Chao2")
