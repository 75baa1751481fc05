"""Pieces of state of the table of runs: a filter, and names of runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from lgq_explore.errors import InputError, near_matches

from ..parts.state.pieces import Piece
from .filtering import conditions


class Filter(Piece):
    """A text of conditions (`filtering.conditions`)."""

    def checked(self, value: Any, domain: Any) -> str:
        if not isinstance(value, str):
            raise InputError(f"{self.name} is {value!r}: give a text, such as 'method=lgq seed=0'")
        conditions(value)
        return value


class RunNames(Piece):
    """A list of names, each once. The domain holds those that can be picked."""

    def __init__(self, domain: Any) -> None:
        super().__init__(domain, start=())

    def default(self, obj: Any = None) -> list[str]:
        return []

    def checked(self, value: Any, domain: Collection[str]) -> list[str]:
        if isinstance(value, str) or not isinstance(value, Iterable):
            raise InputError(f"{self.name} is {value!r}: give a list of names of runs")
        names = list(dict.fromkeys(value))
        for name in names:
            if name not in domain:
                near = near_matches(str(name), domain, most=1) or ": give names of runs that can be opened"
                raise InputError(f"{self.name} names {name!r}, which is no run here that can be opened{near}")
        return names
