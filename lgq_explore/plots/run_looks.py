"""Colours and dashes that tell several runs apart in one figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from lgq_explore.errors import InputError
from lgq_explore.frames import Columns

from .style import live_text, method_colour, printed_text

DASHES = {"solid": "-", "dash": "--", "dashdot": "-.", "dot": ":"}
"""plotly's names of dashes → matplotlib's."""


@dataclass(frozen=True)
class RunLook:
    """How a run's lines look. colour: its method's. dash: as plotly spells it, different for each run of a method."""

    colour: str
    dash: str

    @property
    def linestyle(self) -> str | tuple[int, tuple[float, ...]]:
        """The dash as matplotlib takes it."""
        if self.dash in DASHES:
            return DASHES[self.dash]
        return 0, tuple(float(length.removesuffix("px")) for length in self.dash.split(","))


@dataclass(frozen=True, eq=False)
class RunRows:
    """A run's name, its look, and its rows of the frame. live, printed: the name as plotly and matplotlib take it."""

    run: str
    look: RunLook
    rows: pd.DataFrame

    @property
    def live(self) -> str:
        return live_text(self.run)

    @property
    def printed(self) -> str:
        return printed_text(self.run)


def run_looks(methods: Mapping[str, str]) -> dict[str, RunLook]:
    """The look of each run. methods: the run's name → its method, in the order they were given."""
    seen, looks = Counter[str](), {}
    for run, method in methods.items():
        looks[run] = RunLook(method_colour(method), _dash(seen[method]))
        seen[method] += 1
    return looks


def _dash(number: int) -> str:
    """The dash of a method's run: the named ones first, then a long one with a growing number of dots."""
    names = list(DASHES)
    if number < len(names):
        return names[number]
    return ",".join(["12px", "3px", *["2px", "3px"] * (number - len(names) + 2)])


def rows_of_runs(frame: pd.DataFrame, columns: Columns, methods: Mapping[str, str]) -> Iterator[RunRows]:
    """The rows of each run, in the order of `methods`. frame: of several runs, with a column `run` besides `columns`.

    Raises:
        InputError: a column or all rows are missing, or a run's method is not said.
    """
    columns.of_several_runs.require_rows(frame)
    unknown = [run for run in frame["run"].unique() if run not in methods]
    if unknown:
        raise InputError(f"the method of run {unknown[0]!r} is not said: give methods, each run's name and method")
    for run, look in run_looks(methods).items():
        rows = frame[frame["run"] == run]
        if len(rows):
            yield RunRows(run, look, rows)


def translucent(colour: str, opacity: float) -> str:
    """A colour #RRGGBB as plotly writes it with an opacity."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity})"
