"""The methods of a sweep's file: each with its quantizer, settings, codebook sizes, seeds and trials."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lgq_explore.errors import InputError, near_matches
from lgq_explore.quantizers import QUANTIZERS
from lgq_explore.runs.config import MOST_ROUNDING_REPLICATES, default_settings

from ..description import NO_CODES, Method, Settings
from .tables import require_keys, settings_of, table_of
from .trials import trials_of

METHOD_KEYS = ("quantizer", "set", "codebook_sizes", "seeds", "rounding_replicates", "trials", "reference")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")


def method_of(name: str, table: Mapping[str, Any], values: Mapping[str, Any], grid: Sequence[Settings]) -> Method:
    """The method of a table. values: of the whole file, which hold for all methods. grid: trials of all methods."""
    where = f"methods.{name}"
    require_keys(table, METHOD_KEYS, f"{where}.")
    if not _NAME.fullmatch(name):
        raise InputError(f"{where}: a method's name becomes that of folders: give letters, digits and .+_- alone")
    quantizer = table.get("quantizer", name)
    if quantizer not in QUANTIZERS:
        near = near_matches(str(quantizer), QUANTIZERS)
        raise InputError(
            f"{where}: unknown quantizer {quantizer!r}{near}: name one of lgq-explore list quantizers, such as "
            "quantizer = 'lgq'"
        )
    sizes: tuple[int, ...] = (NO_CODES,)
    if default_settings(quantizer).has_codes:
        sizes = _sizes(table.get("codebook_sizes", values.get("codebook_sizes")), where)
    trials = (
        () if table.get("reference") else trials_of(table["trials"], f"{where}.trials") if "trials" in table else grid
    )
    return Method(
        name,
        quantizer,
        settings_of(table.get("set", {}), f"{where}.set"),
        sizes,
        {size: _seeds_of(size, table, values, where) for size in sizes},
        _replicates(table.get("rounding_replicates", values.get("rounding_replicates", 1)), where),
        tuple(trials),
    )


def _sizes(given: Any, where: str) -> tuple[int, ...]:
    if given is None:
        raise InputError(f"{where} has no codebook_sizes: give them to it or to all, such as codebook_sizes = [1024]")
    return _whole_numbers(given, f"codebook_sizes of {where}", least=2)


def _seeds_of(size: int, table: Mapping[str, Any], values: Mapping[str, Any], where: str) -> tuple[int, ...]:
    of_size = table_of(values.get("seeds_of_size", {}), "seeds_of_size")
    given = table.get("seeds", of_size.get(str(size), values.get("seeds")))
    if given is None:
        raise InputError("seeds are missing: give a number of them, such as seeds = 3, or a list")
    if isinstance(given, int) and not isinstance(given, bool):
        if given < 1:
            raise InputError(f"seeds is {given}: give 1 or more")
        return tuple(range(given))
    return _whole_numbers(given, f"seeds of {where}", least=0)


def _whole_numbers(given: Any, what: str, least: int) -> tuple[int, ...]:
    are_numbers = isinstance(given, list) and all(type(value) is int and value >= least for value in given)
    if not are_numbers or not given or len(set(given)) < len(given):
        raise InputError(f"{what}: {given!r} is not a list of different whole numbers from {least} on")
    return tuple(given)


def _replicates(given: Any, where: str) -> int:
    if type(given) is not int or not 1 <= given <= 1 + MOST_ROUNDING_REPLICATES:
        raise InputError(f"{where}: rounding_replicates is {given!r}: give from 1 to {1 + MOST_ROUNDING_REPLICATES}")
    return given
