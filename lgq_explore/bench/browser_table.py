"""How does the page of benchmarks show what a browser took?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .markdown import count, number, table

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
    """A row for the temperature panel, a row for each way to draw the map, and on what they were measured."""
    panel, *maps = measured["results"]
    return "\n\n".join([_panel_table(panel), _map_table(maps), _caption(measured)])


def _panel_table(panel: Mapping[str, Any]) -> str:
    header = ["panel", "tokens N", "codes K", "key to answer, ms", "key to all tokens, ms"]
    header += ["message to its charts, ms", "message, MB"]
    milliseconds = ("median_answer_seconds", "median_whole_seconds", "median_redraw_seconds")
    row = ["temperature", f"{panel['tokens']:,d}", f"{panel['codes']:,d}"]
    row += [*(_milliseconds(panel[name]) for name in milliseconds), number(panel["redraw_megabytes"])]
    return table(header, [row], left=1)


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
    panel, *maps = measured["results"]
    ready = panel["redraws"].count(1)
    drawn = [each for each in maps if not each["not_run"]]
    surfaces = ", ".join("{} × {} for `{}`".format(*each["pixels"], each["drawn_by"]) for each in drawn)
    return (
        f"Medians by {protocol['clock']}, from a reader's gesture until the browser has taken all that was drawn. "
        f"The panel's {panel['charts']} charts: {panel['moves']} keys pressed, {ready} of them answered at once by all "
        f"tokens, which were made ready. The map: {count(protocol['rounds'], 'round')} in turn, each in a page and a "
        f"kernel of its own, coloured and moved {protocol['repeats']} times; panned by {protocol['drag_steps']} moves "
        f"of the mouse. Its pixels: {surfaces}. Drawn by {protocol['renderer']}, without a GPU. "
        f"{measured['date']}, {measured['device']}, "
        f"{', '.join(f'{name} {version}' for name, version in measured['versions'].items())}."
    )
