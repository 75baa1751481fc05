"""A sweep's file as a whole."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lgq_explore.errors import InputError, printable
from lgq_explore.runs.config import read_recipe
from lgq_explore.training.presets import preset

from ..description import Sweep
from .evaluation import evaluation_of
from .methods import method_of
from .tables import require_keys, settings_of, table_of
from .trials import metric_of, placed, require_equal_trials, trials_of, tuning_of

KEYS = (
    "preset",
    "config",
    "set",
    "methods",
    "codebook_sizes",
    "seeds",
    "seeds_of_size",
    "rounding_replicates",
    "trials",
    "evaluation",
    "cluster",
)


def read_sweep(path: Path, data: str | None = None) -> Sweep:
    """The sweep that a file describes. data: SPEC of the pictures where they lie elsewhere than the file says.

    Raises InputError, which begins with the file's name, for a file that can't be read, an unknown key or a value that
    can't be.
    """
    try:
        return _sweep(_values(path), data)
    except InputError as error:
        raise InputError(f"{printable(path)}: {error}") from error


def _values(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"it can't be read ({error.strerror}): name a TOML file") from error
    except (ValueError, RecursionError) as error:  # of tomllib, and of text that is not UTF-8
        raise InputError(f"it is not TOML ({error}): write it as in benchmarks/sweeps") from error


def _sweep(values: Mapping[str, Any], data: str | None) -> Sweep:
    require_keys(values, KEYS, "")
    if "preset" in values and "config" in values:
        raise InputError("preset and config are both whole recipes: give one of them")
    base = read_recipe(Path(values["config"])) if "config" in values else preset(values.get("preset", "tiny"))
    settings = settings_of(values.get("set", {}), "set")
    if data is not None:
        settings["data"] = data
    tables = table_of(values.get("methods", {}), "methods")
    if not tables:
        raise InputError("it names no methods: give each a table, such as [methods.lgq]")
    tuning = tuning_of(values["trials"]) if "trials" in values else None
    grid = trials_of(values.get("trials", {}).get("grid", {}), "trials.grid")
    methods = {
        name: method_of(name, table_of(table, f"methods.{name}"), values, grid) for name, table in tables.items()
    }
    evaluation = evaluation_of(table_of(values.get("evaluation", {}), "evaluation"))
    if tuning is not None:
        require_equal_trials(methods, tables)
        tuning = placed(tuning, methods)
        metric_of(tuning.metric)
    elif tried := [name for name, method in methods.items() if method.trials]:
        raise InputError(f"methods.{tried[0]} has trials, and there is no [trials] that says how they are judged")
    cluster = table_of(values.get("cluster", {}), "cluster")
    return Sweep(base, settings, methods, tuning, evaluation, cluster)
