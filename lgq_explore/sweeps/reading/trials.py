"""The trials of a sweep's file: the settings that are tried, and how they are judged."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from lgq_explore.errors import InputError, near_matches
from lgq_explore.runs.measures import DEFINITIONS

from ..description import EACH, HIGHEST, LARGEST, LOWEST, NO_CODES, SMALLEST, Method, Settings, Tuning
from .tables import require_keys, settings_of, table_of

TUNING_KEYS = ("metric", "best", "seed", "codebook_size", "grid")


def trials_of(given: Any, where: str) -> list[Settings]:
    """The trials of a list of settings, or of a grid: every combination of its lists."""
    if isinstance(given, list):
        trials: list[Settings] = [settings_of(table, f"{where}[{number}]") for number, table in enumerate(given)]
    else:
        grid = settings_of(given, where)
        for path, values in grid.items():
            if not isinstance(values, list) or not values:
                raise InputError(f"{where}.{path} is {values!r}: give a list of the values to try")
        combinations = itertools.product(*grid.values()) if grid else ()
        trials = [dict(zip(grid, values, strict=True)) for values in combinations]
    for number, trial in enumerate(trials):
        if trial in trials[:number]:
            raise InputError(f"{where} tries {dict(trial)} twice: give each setting once")
    return trials


def tuning_of(given: Any) -> Tuning:
    """The tuning of a table; its seed is −1 where the table has none, see `placed`. Raises InputError."""
    table = table_of(given, "trials")
    require_keys(table, TUNING_KEYS, "trials.")
    metric = table.get("metric")
    if not isinstance(metric, str):
        raise InputError("trials has no metric: name a key of evaluate that is judged, such as metric = 'psnr_db'")
    best = table.get("best")
    if best not in (HIGHEST, LOWEST):
        raise InputError(f"trials.best is {best!r}: say whether the {HIGHEST!r} or the {LOWEST!r} {metric} is best")
    seed, size = table.get("seed", -1), table.get("codebook_size", EACH)
    if type(seed) is not int:
        raise InputError(f"trials.seed is {seed!r}: give a whole number")
    if size not in (EACH, LARGEST, SMALLEST) and type(size) is not int:
        raise InputError(f"trials.codebook_size is {size!r}: give {EACH!r}, {LARGEST!r}, {SMALLEST!r} or a number")
    return Tuning(metric, best, seed, size)


def placed(tuning: Tuning, methods: Mapping[str, Method]) -> Tuning:
    """The tuning with its seed, by default the first after those of final cells. Raises InputError."""
    final = {seed for method in methods.values() for seeds in method.seeds.values() for seed in seeds}
    seed = max(final) + 1 if tuning.seed < 0 else tuning.seed
    if seed in final:
        raise InputError(
            f"trials.seed is {seed}, which is a seed of final cells: the run that looked best would be counted among "
            "them; give another, or leave it out"
        )
    for method in methods.values():
        is_there = not isinstance(tuning.size, int) or tuning.size in method.sizes or method.sizes == (NO_CODES,)
        if method.trials and not is_there:
            raise InputError(
                f"trials.codebook_size is {tuning.size}, which methods.{method.name} does not have "
                f"({', '.join(map(str, method.sizes))}): give {LARGEST!r}, {SMALLEST!r} or {EACH!r}"
            )
    return Tuning(tuning.metric, tuning.best, seed, tuning.size)


def require_equal_trials(methods: Mapping[str, Method], tables: Mapping[str, Any]) -> None:
    """Raise InputError unless all methods that are no references have as many trials. tables: of the methods."""
    counts = {name: len(method.trials) for name, method in methods.items() if not tables[name].get("reference")}
    for name, count in counts.items():
        if not count:
            raise InputError(
                f"methods.{name} has no trials: give it as many as the others, or reference = true if it is not tuned"
            )
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise InputError(f"methods have different numbers of trials ({told}): give each the same number")


def metric_of(key: str) -> str:
    """The name of the metric that gives a key of `evaluate`. Raises InputError."""
    first = key.partition(".")[0]
    for name, definition in DEFINITIONS.items():
        if first in definition.keys:
            return name
    known = [each for definition in DEFINITIONS.values() for each in definition.keys]
    raise InputError(
        f"trials.metric is {key!r}{near_matches(first, known)}: give a key of evaluate, such as psnr_db or fd.value"
    )
