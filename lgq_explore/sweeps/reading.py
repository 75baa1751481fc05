"""Reading of sweep files (TOML), every value checked, before anything is trained."""

from __future__ import annotations

import itertools
import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from lgq_explore.errors import InputError, printable
from lgq_explore.metrics.pictures import require_slow
from lgq_explore.quantizers import QUANTIZERS
from lgq_explore.runs.config import MOST_ROUNDING_REPLICATES, default_settings, near_matches, read_recipe
from lgq_explore.runs.measures import DEFINITIONS, chosen_metrics
from lgq_explore.training.presets import preset

from .description import EACH, HIGHEST, LARGEST, LOWEST, NO_CODES, SMALLEST, Evaluation, Method, Settings, Sweep, Tuning

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
METHOD_KEYS = ("quantizer", "set", "codebook_sizes", "seeds", "rounding_replicates", "trials", "reference")
TUNING_KEYS = ("metric", "best", "seed", "codebook_size", "grid")

DECIDED = {
    "seed": "seeds",
    "rounding_replicate": "rounding_replicates",
    "quantizer.method": "quantizer",
    "quantizer.codebook_size": "codebook_sizes",
}
"""Fields of a recipe that a sweep decides, each with the key that decides it."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")


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
    _require_keys(values, KEYS, "")
    if "preset" in values and "config" in values:
        raise InputError("preset and config are both whole recipes: give one of them")
    base = read_recipe(Path(values["config"])) if "config" in values else preset(values.get("preset", "tiny"))
    settings = _settings(values.get("set", {}), "set")
    if data is not None:
        settings["data"] = data
    tables = _table(values.get("methods", {}), "methods")
    if not tables:
        raise InputError("it names no methods: give each a table, such as [methods.lgq]")
    tuning = _tuning(values["trials"]) if "trials" in values else None
    grid = _trials(values.get("trials", {}).get("grid", {}), "trials.grid")
    methods = {name: _method(name, _table(table, f"methods.{name}"), values, grid) for name, table in tables.items()}
    evaluation = _evaluation(_table(values.get("evaluation", {}), "evaluation"))
    if tuning is not None:
        _require_equal_trials(methods, tables)
        tuning = _placed(tuning, methods)
        metric_of(tuning.metric)
    elif tried := [name for name, method in methods.items() if method.trials]:
        raise InputError(f"methods.{tried[0]} has trials, and there is no [trials] that says how they are judged")
    cluster = _table(values.get("cluster", {}), "cluster")
    return Sweep(base, settings, methods, tuning, evaluation, cluster)


def _method(name: str, table: Mapping[str, Any], values: Mapping[str, Any], grid: Sequence[Settings]) -> Method:
    where = f"methods.{name}"
    _require_keys(table, METHOD_KEYS, f"{where}.")
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
        () if table.get("reference") else _trials(table["trials"], f"{where}.trials") if "trials" in table else grid
    )
    return Method(
        name,
        quantizer,
        _settings(table.get("set", {}), f"{where}.set"),
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
    of_size = _table(values.get("seeds_of_size", {}), "seeds_of_size")
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


def _settings(table: Any, where: str) -> dict[str, Any]:
    """Nested tables as fields by their paths."""
    flat: dict[str, Any] = {}
    for path, value in _leaves(_table(table, where)):
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


def _trials(given: Any, where: str) -> list[Settings]:
    """The trials of a list of settings, or of a grid: every combination of its lists."""
    if isinstance(given, list):
        trials: list[Settings] = [_settings(table, f"{where}[{number}]") for number, table in enumerate(given)]
    else:
        grid = _settings(given, where)
        for path, values in grid.items():
            if not isinstance(values, list) or not values:
                raise InputError(f"{where}.{path} is {values!r}: give a list of the values to try")
        combinations = itertools.product(*grid.values()) if grid else ()
        trials = [dict(zip(grid, values, strict=True)) for values in combinations]
    for number, trial in enumerate(trials):
        if trial in trials[:number]:
            raise InputError(f"{where} tries {dict(trial)} twice: give each setting once")
    return trials


def _tuning(given: Any) -> Tuning:
    table = _table(given, "trials")
    _require_keys(table, TUNING_KEYS, "trials.")
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


def _placed(tuning: Tuning, methods: Mapping[str, Method]) -> Tuning:
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


def _require_equal_trials(methods: Mapping[str, Method], tables: Mapping[str, Any]) -> None:
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


def _evaluation(table: Mapping[str, Any]) -> Evaluation:
    names = [entry.name for entry in fields(Evaluation)]
    _require_keys(table, names, "evaluation.")
    given: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in table.items()}
    evaluation = Evaluation(**given)
    if type(evaluation.crops) is not int or evaluation.crops < 1:
        raise InputError(f"evaluation.crops is {evaluation.crops!r}: give 1 or more")
    for name in ("metrics", "without"):
        if not isinstance(getattr(evaluation, name), tuple):
            raise InputError(f"evaluation.{name} is {getattr(evaluation, name)!r}: give a list of names")
    try:
        chosen_metrics(evaluation.metrics)
        require_slow(evaluation.without)
    except InputError as error:
        raise InputError(f"evaluation: {error}") from error
    return evaluation


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"{where} is {value!r}: give a table, such as [{where}]")
    return value


def _require_keys(table: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for name in table:
        if name not in known:
            raise InputError(
                f"unknown key {where + name!r}{near_matches(name, known)}; the keys are {', '.join(known)}"
            )
