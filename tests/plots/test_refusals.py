"""Does every drawing function refuse a frame that lacks a column, in a line that names it and who makes such frames?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lgq_explore import plots
from lgq_explore.errors import InputError
from lgq_explore.frames import Columns, audit, comparison, geometry, health, pictures, temperature, toys, usage
from lgq_explore.frames.columns import TEXT
from lgq_explore.frames.temperature import annealed_centres
from lgq_explore.plots.style import Title
from tests.plots.filled_frames import filled

METHODS = {"a": "lgq"}
NUMBERED = plots.comparison.Numbered({"": 1}, {"a": 0})
TITLE, POINTS = Title("a plane", "N = 1"), np.zeros((1, 2))
GIVEN = {
    "run": "a",
    "state": "fine",
    "panel": health.LOSSES,
    "quantity": health.WEIGHTED_SUM,
    "code": 0,
    "neighbour": 0,
    "number": "psnr_db",
}
"""Values of columns for which neither 1 nor an empty text will do."""


def example(columns: Columns) -> pd.DataFrame:
    """One row that can be drawn."""
    numbers = {name: 1 for name in columns.needed if columns.described[name][0] != TEXT}
    return filled(columns, [numbers | {name: value for name, value in GIVEN.items() if name in columns.needed}])


@dataclass(frozen=True)
class Drawing:
    """A drawing function, called with the frames of these columns."""

    name: str
    columns: tuple[Columns, ...]
    draw: Callable[..., Any]

    def frames(self) -> list[pd.DataFrame]:
        return [example(columns) for columns in self.columns]


def pane(codes: pd.DataFrame, tokens: pd.DataFrame, edges: pd.DataFrame) -> plots.geometry.MapPane:
    return plots.geometry.MapPane("a", codes, tokens, edges, ("x", "y"), (0.0, 1.0, 0.0, 1.0))


def plane(codes: pd.DataFrame, edges: pd.DataFrame) -> plots.toys.PlanePanel:
    axis = np.array([0.0, 1.0])
    return plots.toys.PlanePanel("a", np.zeros((2, 2), dtype=int), axis, axis, codes, edges)


def temperature_frames(*frames: pd.DataFrame) -> plots.temperature.TemperatureFrames:
    sweep, flips, marks, tokens, top, placed = frames
    shown = {"input": np.zeros((1, 3, 4, 4), dtype=np.uint8)}
    return plots.temperature.TemperatureFrames(sweep, flips, marks, 1.0, tokens, 2, top, 1, placed, shown)


def only_definitions(definitions: pd.DataFrame) -> plots.usage.UsageFrames:
    empty = pd.DataFrame()
    return plots.usage.UsageFrames(empty, empty, empty, empty, definitions)


def with_marks(form: str, curves: pd.DataFrame, verdicts: pd.DataFrame, marks: pd.DataFrame) -> Any:
    return getattr(plots.health, form)(curves, verdicts, marks=marks)


def drawings() -> list[Drawing]:
    def add(name: str, columns: tuple[Columns, ...], *rest: Any) -> None:
        topic, function = name.split(".")
        found.append(Drawing(name, columns, lambda *frames: getattr(getattr(plots, topic), function)(*frames, *rest)))

    def add_parts(name: str, columns: tuple[Columns, ...], joined: Callable[..., Any], *rest: Any) -> None:
        topic, function = name.split(".")
        draw = getattr(getattr(plots, topic), function)
        found.append(Drawing(name, columns, lambda *frames: draw(joined(*frames), *rest)))

    found: list[Drawing] = []
    for form in ("draw", "publish"):
        add(f"audit.{form}_audit", (audit.AUDIT,))
        add(f"usage.{form}_per_code", (usage.PER_CODE,))
        add(f"usage.{form}_code_history", (usage.CODE_HISTORY, health.STEP_MARKS))
        add(f"pictures.{form}_distortion", (pictures.DISTORTION,))
        add(f"pictures.{form}_posterior", (pictures.CANDIDATES,))
        add(f"geometry.{form}_code_neighbours", (geometry.CODE_NEIGHBOURS,))
        add(f"health.{form}_training_curves", (health.TRAINING_CURVES, health.STEP_MARKS))
        read = (health.RULE_CURVES, health.VERDICTS, health.STEP_MARKS)
        found.append(Drawing(f"health.{form}_verdicts", read, partial(with_marks, f"{form}_verdicts")))
        add(f"temperature.{form}_bifurcation", (annealed_centres(1), temperature.ANNEALED_STATES), 1.0)
        sweep = (temperature.SWEEP, temperature.FLIPS, temperature.MARKS)
        add(f"temperature.{form}_sweep", sweep)
        parts = (geometry.PLACED_CODES, geometry.PLACES, geometry.EDGES)
        maps = "latent_maps" if form == "draw" else "latent_map"
        add_parts(f"geometry.{form}_{maps}", parts, lambda *frames: [pane(*frames)])
        planes = (toys.PLANE_CODES, geometry.EDGES)
        add_parts(f"toys.{form}_toy_plane", planes, lambda *frames: [plane(*frames)], POINTS, TITLE)
        add_parts(f"toys.{form}_toy_distance", (toys.CURVE,), lambda curve: {"lgq": curve}, "", 1)
    several = {name: getattr(usage, name).of_several_runs for name in ("SUMMARY", "BY_RANK", "LORENZ", "ACCUMULATION")}
    add("usage.draw_by_rank", (several["BY_RANK"],), METHODS)
    add("usage.draw_lorenz", (several["LORENZ"], several["SUMMARY"]), METHODS)
    add("usage.draw_accumulation", (several["ACCUMULATION"],), METHODS)
    add("usage.draw_definitions", (usage.DEFINITIONS,), METHODS)
    together = (*several.values(), usage.DEFINITIONS)
    add_parts("usage.publish_comparison", together, plots.usage.UsageFrames, METHODS, "")
    cells = pd.DataFrame([[1.0, 0.0]])
    add_parts("usage.publish_beside_map", (usage.DEFINITIONS,), only_definitions, METHODS, "definitions", cells, "a")
    add("temperature.draw_softness", (temperature.TOKENS,), 2)
    add("temperature.draw_top_responsibilities", (temperature.TOP_RESPONSIBILITIES,), 1)
    add("temperature.draw_token_map", (temperature.TOKEN_MAP,), 1)
    shown = (*sweep, temperature.TOKENS, temperature.TOP_RESPONSIBILITIES, temperature.TOKEN_MAP)
    add_parts("temperature.publish_temperature", shown, temperature_frames)
    add("temperature.draw_centre_counts", (temperature.ANNEALED_STATES,), 1.0)
    add("temperature.publish_bifurcations", (temperature.BIFURCATIONS, health.STEP_MARKS))
    add("temperature.publish_estimators", (temperature.ESTIMATORS,))
    add("temperature.publish_estimator_map", (temperature.ESTIMATOR_MAP,))
    add("geometry.publish_code_cells", (geometry.CODE_CELLS, geometry.DENSITY_EXPONENTS))
    add("geometry.publish_efficiency", (geometry.EFFICIENCY.of_several_runs,), METHODS)
    add("comparison.publish_agreement", (comparison.AGREEMENT,))
    add("comparison.publish_rate_distortion", (comparison.GROUP_NUMBERS,))
    of_group = (comparison.GROUP_NUMBERS, comparison.RUN_NUMBERS)
    add("comparison.draw_group_numbers", of_group, NUMBERED)
    add("comparison.publish_group_numbers", of_group)
    add("comparison.draw_rate_distortion", (*of_group, comparison.CURVE_LINES), NUMBERED)
    add("comparison.draw_disagreement", (comparison.DISAGREEMENT,), "lgq", "fsq")
    add("comparison.publish_disagreement", (comparison.DISAGREEMENT,), "lgq", "fsq")
    add("comparison.publish_pruning", (comparison.PRUNING.of_several_runs,), METHODS)
    add("toys.publish_toy_table", (toys.TABLE,))
    return found


WITHOUT_FRAMES = {
    f"{form}_{name}"
    for form in ("draw", "publish")
    for name in ("grid", "images", "code_patches", "patch_pictures", "pair_pictures")
} | {"draw_nothing_yet", "draw_no_pictures"}
"""These draw pictures, a sentence, or the table of `analysis.usage.grid`, whose columns are offsets."""


def test_every_drawing_function_is_looked_at() -> None:
    functions = {
        f"{topic}.{name}"
        for topic in plots.__all__
        for name in getattr(getattr(plots, topic), "__all__", ())
        if name.startswith(("draw_", "publish_")) and name not in WITHOUT_FRAMES
    }
    assert {drawing.name for drawing in drawings()} == functions


@pytest.mark.parametrize("drawing", drawings(), ids=lambda drawing: drawing.name)
def test_a_missing_column_is_refused_in_one_line(drawing: Drawing) -> None:
    drawing.draw(*drawing.frames())
    for place, columns in enumerate(drawing.columns):
        for name in columns.needed:
            frames = drawing.frames()
            frames[place] = frames[place].drop(columns=name)
            with pytest.raises(InputError) as told:
                drawing.draw(*frames)
            assert str(told.value) == f"the frame lacks {name}: give one of {columns.made_by}"


@pytest.mark.parametrize("drawing", drawings(), ids=lambda drawing: drawing.name)
def test_something_else_than_a_frame_is_refused(drawing: Drawing) -> None:
    with pytest.raises(InputError, match=r"^dict is not a frame: give one of analysis\."):
        drawing.draw({}, *drawing.frames()[1:])


EMPTY_IS_DRAWN = {
    "per_code", "code_history", "distortion", "code_neighbours", "training_curves", "verdicts", "latent_map",
    "latent_maps",
    "toy_distance",
}  # fmt: skip
"""What a panel draws before there is anything, with a sentence or without a line."""


@pytest.mark.parametrize("drawing", drawings(), ids=lambda drawing: drawing.name)
def test_no_rows_are_drawn_or_refused(drawing: Drawing) -> None:
    frames = [frame.iloc[:0] for frame in drawing.frames()]
    if drawing.name.partition("_")[2] in EMPTY_IS_DRAWN:
        drawing.draw(*frames)
        return
    with pytest.raises(InputError, match="has 0 rows: give one of analysis"):
        drawing.draw(*frames)
