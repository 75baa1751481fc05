"""PSNR against bits, interactive: methods over their codebook sizes, single runs, and a cursor at equal bits."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from lgq_explore.frames.comparison import CURVE_LINES, GROUP_NUMBERS, RUN_NUMBERS
from lgq_explore.frames.quantities import QUANTITIES, estimate_text

from ..live import Trace, live_figure
from ..style import CHART_HEIGHT, Title, axis, layout, live_text, method_colour, sentence_when_empty
from .numbered import RUNS_AND_GROUPS, Numbered, rings, run_markers, upright
from .rate_distortion import BITS_TITLE, DISTORTION, PSNR_TITLE, RATE, group_points

PSNR, BITS = QUANTITIES[DISTORTION], QUANTITIES[RATE]
NO_POINTS = "PSNR was not measured."


def draw_rate_distortion(
    numbers: pd.DataFrame, runs: pd.DataFrame, lines: pd.DataFrame, numbered: Numbered
) -> go.Figure:
    """PSNR against entropy: a point per group with its intervals, a faint one per run, and the methods' curves.

    numbers: of `analysis.comparison.group_numbers`, runs: of `run_numbers`, lines: of `curve_lines`. A method without
    codes is a dashed line. customdata: `numbered`.

    Raises:
        InputError: a column is missing, or there are no numbers.
    """
    GROUP_NUMBERS.require_rows(numbers)
    RUN_NUMBERS.require(runs)
    CURVE_LINES.require(lines)
    points = group_points(numbers)
    coded = points.dropna(subset=RATE)
    without = points[points[RATE].isna()]
    traces = [
        *_curves(lines),
        *(_level(row, coded, numbered) for _, row in without.iterrows()),
        _run_points(runs, numbered),
        *(_group_points(str(method), rows, numbered) for method, rows in coded.groupby("method", sort=False)),
    ]
    detail = f"{int(numbers['photographs'].iloc[0]):,d} held-out photographs"
    if len(lines):
        detail += ", curves by PCHIP"
    return live_figure(
        traces,
        layout(
            Title("Rate and distortion", detail),
            height=CHART_HEIGHT,
            margin={"l": 56, "r": 16, "t": 76, "b": 52},
            hovermode="closest",
            lights=RUNS_AND_GROUPS,
            legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 11}},
            xaxis=axis(BITS_TITLE, visible=len(coded) > 0),
            yaxis=axis(PSNR_TITLE, visible=len(points) > 0),
            annotations=[sentence_when_empty(NO_POINTS, empty=points.empty)],
        ),
    )


def mark_rate_distortion(figure: go.Figure, bits: float | None, picked: int | None) -> go.Figure:
    """The cursor at some bits, and rings around what is picked, on top of what `draw_rate_distortion` gave."""
    return rings(figure, picked, *([] if bits is None else [upright(bits)]))


def _curves(lines: pd.DataFrame) -> list[Trace]:
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "x": rows[RATE].tolist(),
            "y": rows[DISTORTION].tolist(),
            "line": {"color": method_colour(str(method)), "width": 1.5},
            "hoverinfo": "skip",
            "showlegend": False,
        }
        for method, rows in lines.groupby("method", sort=False)
    ]


def _run_points(runs: pd.DataFrame, numbered: Numbered) -> Trace:
    of_runs = runs[runs["number"].isin((RATE, DISTORTION))].pivot(index="run", columns="number", values="value")
    facts = runs.drop_duplicates("run").set_index("run")
    shown = of_runs.reindex(columns=[RATE, DISTORTION]).reindex(facts.index).join(facts.drop(columns="value"))
    shown = shown.dropna(subset=[RATE, DISTORTION])
    return {
        "type": "scatter",
        "mode": "markers",
        "x": shown[RATE].tolist(),
        "y": shown[DISTORTION].tolist(),
        "customdata": [numbered.runs[name] for name in shown.index],
        "text": [_run_text(str(name), row) for name, row in shown.iterrows()],
        "hovertemplate": "%{text}<extra></extra>",
        "showlegend": False,
        "marker": run_markers(shown),
    }


def _run_text(name: str, row: pd.Series) -> str:
    replicate = f", rounding replicate {row['replicate']}" if row["replicate"] else ""
    said = f"{row['group']}, seed {row['seed']}{replicate}: {PSNR.with_unit(row[DISTORTION])}"
    return f"{live_text(said)} at {BITS.with_unit(row[RATE])}<br>run {live_text(name)}"


def _group_points(method: str, rows: pd.DataFrame, numbered: Numbered) -> Trace:
    colour = method_colour(method)
    return {
        "type": "scatter",
        "mode": "markers",
        "name": live_text(method),
        "x": rows[RATE].tolist(),
        "y": rows[DISTORTION].tolist(),
        "customdata": [numbered.groups[name] for name in rows["group"]],
        "text": [_group_text(row) for _, row in rows.iterrows()],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {"size": 11, "color": colour},
        "error_x": _bars(rows, RATE, colour),
        "error_y": _bars(rows, DISTORTION, colour),
    }


def _group_text(row: pd.Series) -> str:
    psnr = estimate_text(PSNR, row[DISTORTION], *_ends(row, DISTORTION))
    bits = estimate_text(BITS, row[RATE], *_ends(row, RATE))
    return f"{live_text(row['group'])}<br>{psnr}<br>at {bits}"


def _ends(row: pd.Series, number: str) -> tuple[float, float]:
    return row[f"{number}_low"], row[f"{number}_high"]


def _bars(rows: pd.DataFrame, number: str, colour: str) -> dict[str, Any]:
    below, above = rows[number] - rows[f"{number}_low"], rows[f"{number}_high"] - rows[number]
    return {
        "type": "data",
        "symmetric": False,
        "arrayminus": below.fillna(0.0).tolist(),
        "array": above.fillna(0.0).tolist(),
        "color": colour,
        "thickness": 1,
        "width": 3,
    }


def _level(row: pd.Series, coded: pd.DataFrame, numbered: Numbered) -> Trace:
    """A method without codes, as a line over all rates."""
    ends = [float(coded[RATE].min()), float(coded[RATE].max())] if len(coded) else [0.0, 1.0]
    psnr = estimate_text(PSNR, row[DISTORTION], *_ends(row, DISTORTION))
    said = f"{live_text(row['group'])} (no codes)"
    return {
        "type": "scatter",
        "mode": "lines",
        "name": said,
        "x": ends,
        "y": [row[DISTORTION]] * 2,
        "customdata": [numbered.groups[row["group"]]] * 2,
        "text": [f"{said}<br>{psnr}"] * 2,
        "hovertemplate": "%{text}<extra></extra>",
        "line": {"color": method_colour(row["method"]), "width": 1.5, "dash": "dash"},
    }
