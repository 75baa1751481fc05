"""Tables of a sweep's file: their keys, and settings by their paths."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lgq_explore.errors import InputError, near_matches

DECIDED = {
    "seed": "seeds",
    "rounding_replicate": "rounding_replicates",
    "quantizer.method": "quantizer",
    "quantizer.codebook_size": "codebook_sizes",
}
"""Fields of a recipe that a sweep decides, each with the key that decides it."""


def table_of(value: Any, where: str) -> Mapping[str, Any]:
    """The table that stands at `where` in the file. Raises InputError for another value."""
    if not isinstance(value, Mapping):
        raise InputError(f"{where} is {value!r}: give a table, such as [{where}]")
    return value


def require_keys(table: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    """Raise InputError, which names near ones, for a key that is not known. where: what stands before it."""
    for name in table:
        if name not in known:
            raise InputError(
                f"unknown key {where + name!r}{near_matches(name, known)}; the keys are {', '.join(known)}"
            )


def settings_of(table: Any, where: str) -> dict[str, Any]:
    """Nested tables as fields by their paths. Raises InputError for a field that the sweep itself decides."""
    flat: dict[str, Any] = {}
    for path, value in _leaves(table_of(table, where)):
        if path in DECIDED:
            raise InputError(f"{where}.{path}: a sweep decides it by {DECIDED[path]}: give it there")
        try:
            json.dumps(value)
        except TypeError:
            raise InputError(f"{where}.{path} is {value}, which no field of a recipe takes") from None
        flat[path] = value
    return flat


def _leaves(table: Mapping[str, Any], above: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value
