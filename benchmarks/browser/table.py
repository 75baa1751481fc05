"""The Markdown table of a browser benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lgq_explore.bench.markdown import count, number, table

MAP_COLUMNS = {
    "opening": "opening",
    "recolour": "other colours",
    "move": "codes move",
    "frame": "a frame while panned",
    "longest_frame": "longest frame",
    "release": "after panning",
    "lasso": "lasso to Python",
}


def markdown_table(measured: Mapping[str, Any]) -> str:
    """A row for the temperature panel, a row for each way to draw the map, and the conditions of the measurement."""
    panels, maps = _by_panel(measured)
    return "\n\n".join([_panel_table(panels), _map_table(maps), _caption(measured)])


def _by_panel(measured: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Results of the temperature panel, and of the map."""
    results = measured["results"]
    return [each for each in results if each["panel"] != "map"], [each for each in results if each["panel"] == "map"]


def _panel_table(panels: list[dict[str, Any]]) -> str:
    header = ["panel", "move", "tokens N", "codes K", "key to answer, ms", "key to all tokens, ms"]
    header += ["message to its charts, ms", "message, MB"]
    return table(header, (_panel_row(panel) for panel in panels), left=2)


def _panel_row(panel: Mapping[str, Any]) -> list[str]:
    times = (panel[f"median_{name}_seconds"] for name in ("answer", "whole", "redraw"))
    sizes = [panel["panel"], panel["move"], f"{panel['tokens']:,d}", f"{panel['codes']:,d}"]
    return [*sizes, *map(_milliseconds, times), number(panel["redraw_megabytes"])]


def _map_table(maps: list[dict[str, Any]]) -> str:
    header = ["map drawn by", "codes K", "tokens N", *(f"{name}, ms" for name in MAP_COLUMNS.values())]
    return table(header, (_map_row(each) for each in maps), left=1)


def _map_row(measured: Mapping[str, Any]) -> list[str]:
    sizes = [f"`{measured['drawn_by']}`", f"{measured['codes']:,d}", f"{measured['tokens']:,d}"]
    if measured["not_run"]:
        return [*sizes, measured["not_run"], *[""] * (len(MAP_COLUMNS) - 1)]
    return sizes + [_milliseconds(measured[f"median_{column}_seconds"]) for column in MAP_COLUMNS]


def _milliseconds(seconds: float) -> str:
    return number(1000 * seconds)


def _caption(measured: Mapping[str, Any]) -> str:
    protocol = measured["protocol"]
    panels, maps = _by_panel(measured)
    presses = [redraws for panel in panels for redraws in panel["redraws"]]
    drawn = [each for each in maps if not each["not_run"]]
    surfaces = ", ".join("{} × {} for `{}`".format(*each["pixels"], each["drawn_by"]) for each in drawn)
    return (
        f"Medians by {protocol['clock']}, from a reader's gesture until the browser has taken all that was drawn. "
        f"The panel's {panels[0]['charts']} charts: {len(presses)} keys pressed, {presses.count(1)} of them answered "
        f"at once by all tokens, which were made ready. The map: {count(protocol['rounds'], 'round')} in turn, each in "
        f"a page and a kernel of its own, coloured and moved {protocol['repeats']} times; panned by "
        f"{protocol['drag_steps']} moves of the mouse. Its pixels: {surfaces}. Drawn by {protocol['renderer']}, "
        f"without a GPU. {measured['date']}, {measured['device']}, "
        f"{', '.join(f'{name} {version}' for name, version in measured['versions'].items())}."
    )
