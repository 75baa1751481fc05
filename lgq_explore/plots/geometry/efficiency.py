"""How near do each run's codes come to k-means on its own latents?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import seaborn
from matplotlib.figure import Figure

from ..run_looks import RunRows, rows_of_runs
from ..style import GUIDE, INK, Title, axis, layout, new_figure, publication_style, publish_title

COLUMNS = (
    "measure",
    "efficiency",
    "spread",
    "cell_means_efficiency",
    "restarts",
    "images",
    "tokens",
    "fit_tokens",
    "codebook_size",
)
CODES, CELL_MEANS, KMEANS = "codes", "moved to their cells' means", "k-means = 1"
ROW_PIXELS, ROW_INCHES = 34, 0.34


def draw_efficiency(efficiency: pd.DataFrame, methods: Mapping[str, str]) -> go.Figure:
    """A panel a measure, a line a run: a dot for its codes, a ring for these moved to their cells' means; k-means at 1.

    efficiency: of `analysis.geometry.efficiency`, a column `run` before it. methods: each run's name and method. Two
    traces a run and panel. Bars are the spread over k-means' restarts, mostly narrower than the dot.

    Raises:
        InputError: a column is missing, or a run's method is not said.
    """
    parts = list(rows_of_runs(efficiency, COLUMNS, methods))
    measures = efficiency["measure"].unique().tolist()
    traces, axes, notes, lines = [], {}, [], []
    for number, measure in enumerate(measures):
        name = str(number + 1) if number else ""
        traces += [trace for part in parts for trace in _traces(part, measure, name, first=number == 0)]
        left, right = _domain(number, len(measures))
        axes["xaxis" + name] = axis(
            "efficiency",
            domain=[left, right],
            range=[0, _reach(efficiency)],
            anchor="y" + name,
            tickformat=".2~f",
            dtick=0.2,
        )
        axes["yaxis" + name] = axis(
            "",
            type="category",
            autorange="reversed",
            anchor="x" + name,
            showticklabels=number == 0,
            showgrid=False,
            ticks="",
        )
        notes.append(_heading(efficiency, measure, left))
        lines.append(
            {"type": "line", "x0": 1, "x1": 1, "y0": 0, "y1": 1, "xref": "x" + name, "yref": "paper",
             "line": {"color": GUIDE, "dash": "dash", "width": 1}}
        )  # fmt: skip
    # A trace of nothing, so that the legend has the dashed line as well.
    traces.append(_legend_line())
    return go.Figure(
        traces,
        layout(
            _title(efficiency),
            height=176 + ROW_PIXELS * len(parts),
            margin={"l": 64, "r": 16, "t": 72, "b": 80},
            legend={"orientation": "h", "x": 0, "y": 0, "yref": "container", "yanchor": "bottom"},
            annotations=notes,
            shapes=lines,
            **axes,
        ),
    )


def publish_efficiency(efficiency: pd.DataFrame, methods: Mapping[str, str]) -> Figure:
    """What `geometry.draw_efficiency` shows, to print. Arguments and errors are the same."""
    parts = list(rows_of_runs(efficiency, COLUMNS, methods))
    measures = efficiency["measure"].unique().tolist()
    with publication_style():
        figure = new_figure(9.6, 1.7 + ROW_INCHES * len(parts))
        grid = figure.subplots(1, len(measures), sharex=True, sharey=True, squeeze=False)[0]
        for axes, measure in zip(grid, measures, strict=True):
            for place, part in enumerate(parts):
                for _, row in part.rows[part.rows["measure"] == measure].iterrows():
                    colour = part.look.colour
                    ring = {"marker": "o", "facecolor": "white", "edgecolor": colour, "s": 40, "zorder": 3}
                    axes.scatter(row["cell_means_efficiency"], place, **ring)
                    axes.errorbar(row["efficiency"], place, xerr=row["spread"], fmt="o", color=colour, zorder=4)
            axes.axvline(1, color=GUIDE, linestyle="--", linewidth=1)
            axes.set_title(_facts(efficiency, measure).replace("<br>", "\n"), fontsize="medium", loc="left")
            axes.set(xlim=(0, _reach(efficiency)), xlabel="efficiency", ylim=(len(parts) - 0.5, -0.5))
            axes.set_yticks(range(len(parts)), [part.printed for part in parts])
            axes.grid(axis="y", visible=False)
        seaborn.despine(figure)
        handles = [
            grid[0].scatter([], [], color=INK, s=36, label=CODES),
            grid[0].scatter([], [], facecolor="white", edgecolor=INK, s=40, label=CELL_MEANS),
            *grid[0].plot([], [], color=GUIDE, linestyle="--", linewidth=1, label=KMEANS),
        ]
        figure.legend(handles=handles, loc="outside lower left", ncols=3, frameon=False)
        publish_title(figure, _title(efficiency))
    return figure


def _traces(part: RunRows, measure: str, name: str, *, first: bool) -> Sequence[go.Scatter]:
    rows = part.rows[part.rows["measure"] == measure]
    colour = part.look.colour
    common: dict[str, Any] = {
        "y": [part.live] * len(rows),
        "mode": "markers",
        "showlegend": False,
        "xaxis": "x" + name,
        "yaxis": "y" + name,
    }
    return [
        go.Scatter(
            x=rows["cell_means_efficiency"].to_numpy(),
            name=CELL_MEANS,
            marker={"symbol": "circle-open", "size": 11, "color": colour, "line": {"width": 2}},
            hovertemplate=f"{part.live}, {CELL_MEANS}: %{{x:.3f}}<extra></extra>",
            **common,
        ),
        go.Scatter(
            x=rows["efficiency"].to_numpy(),
            error_x={"array": rows["spread"].to_numpy(), "color": colour, "thickness": 2},
            customdata=rows[["spread", "restarts"]].to_numpy(),
            name=CODES,
            marker={"size": 11, "color": colour},
            hovertemplate=f"{part.live}: %{{x:.3f}} ± %{{customdata[0]:.3f}} over %{{customdata[1]}} restarts"
            "<extra></extra>",
            **common,
        ),
    ]


def _legend_line() -> go.Scatter:
    return go.Scatter(
        x=[None], y=[None], mode="lines", name=f"● {CODES}   ○ {CELL_MEANS}   ┆ {KMEANS}", line={"width": 0}
    )


def _domain(number: int, panels: int) -> tuple[float, float]:
    width = (1 - 0.04 * (panels - 1)) / panels
    return number * (width + 0.04), number * (width + 0.04) + width


def _heading(efficiency: pd.DataFrame, measure: str, left: float) -> dict[str, Any]:
    return {
        "text": _facts(efficiency, measure),
        "x": left,
        "y": 1,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "bottom",
        "align": "left",
        "showarrow": False,
        "font": {"size": 12},
    }


def _facts(efficiency: pd.DataFrame, measure: str) -> str:
    tokens = efficiency.loc[efficiency["measure"] == measure, "tokens"].unique()
    return f"in {measure}, N = {_listed(tokens)} tokens"


def _title(efficiency: pd.DataFrame) -> Title:
    sizes, fitted = efficiency["codebook_size"].unique(), efficiency["fit_tokens"].unique()
    restarts = efficiency["restarts"].max()
    return Title(
        "Geometry efficiency",
        f"K = {_listed(sizes)}; k-means of {_listed(fitted)} training tokens, best of {restarts}",
    )


def _listed(numbers: Sequence[Any]) -> str:
    return " and ".join(f"{number:,d}" for number in sorted({int(number) for number in numbers}))


def _reach(efficiency: pd.DataFrame) -> float:
    """The right end of the axis: a little beyond 1, or beyond the best where k-means was beaten."""
    both = efficiency[["efficiency", "cell_means_efficiency"]].to_numpy()
    return float(1.1 * max(1.0, both[both < float("inf")].max(initial=1.0)))
