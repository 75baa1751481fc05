"""The declaration of a frame: its columns, their types and their meaning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from lgq_explore.errors import InputError

INTEGER, NUMBER, TEXT, TRUTH = "int64", "float64", "str", "bool"
SINGLE_PRECISION = "float32"
"""A number where float32 is precise enough."""

OPTIONAL_INTEGER = "Int64"
"""An integer that may be missing (NA)."""
MOMENT = "datetime64[s]"
"""A date and time of this machine's clock that may be missing (NaT)."""


@dataclass(frozen=True)
class Columns:
    """The columns of a frame, in order, and the function that makes such frames.

    made_by: the function's public name. described: column → its dtype and its meaning, with the unit. optional: columns
    that some of these frames have and others do not.
    """

    made_by: str
    described: Mapping[str, tuple[str, str]]
    optional: frozenset[str] = frozenset()

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns that every such frame has."""
        return tuple(name for name in self.described if name not in self.optional)

    @property
    def of_several_runs(self) -> Columns:
        """The columns of several such frames in one, as `analysis.comparison.of_several_runs` puts them."""
        if "run" in self.described:
            return self
        made_by = f"{self.made_by}, those of several runs by analysis.comparison.of_several_runs"
        return Columns(made_by, {"run": (TEXT, "name of the run"), **self.described}, self.optional)

    def only(self, *names: str) -> Columns:
        """Some of the columns, for whoever needs no others."""
        return replace(self, described={name: self.described[name] for name in names})

    def frame(self, values: Mapping[str, Any] | Sequence[Mapping[str, Any]] | pd.DataFrame) -> pd.DataFrame:
        """A frame of exactly these columns, in their order and with their types, from columns or from rows.

        Raises:
            ValueError: a column is missing, or one is not declared.
        """
        made = pd.DataFrame(values, columns=None if len(values) else list(self.needed))
        if not set(self.needed) <= set(made.columns) <= set(self.described):
            raise ValueError(f"columns {list(made.columns)} of a frame declared with {list(self.described)}")
        types = {name: dtype for name, (dtype, _) in self.described.items() if name in made.columns}
        return made[list(types)].astype(types)

    def require(self, frame: pd.DataFrame) -> None:
        """Raise InputError for a frame that lacks a column. Types are not checked: a frame read from a file will do."""
        if not isinstance(frame, pd.DataFrame):
            raise InputError(f"{type(frame).__name__} is not a frame: give one of {self.made_by}")
        missing = [name for name in self.needed if name not in frame.columns]
        if missing:
            raise InputError(f"the frame lacks {', '.join(missing)}: give one of {self.made_by}")

    def require_rows(self, frame: pd.DataFrame) -> None:
        """Raise InputError for a frame that lacks a column, or has no rows."""
        self.require(frame)
        if frame.empty:
            raise InputError(f"the frame has 0 rows: give one of {self.made_by} with at least one")
