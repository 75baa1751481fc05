"""Comparison of methods trained by one recipe, on the same photographs and with the same seeds."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lgq_explore.errors import InputError
from lgq_explore.images.opening import resolve_spec
from lgq_explore.runs.config import MOST_ROUNDING_REPLICATES, TrainConfig, config_from_json
from lgq_explore.runs.evaluate import evaluate, kept_metrics
from lgq_explore.runs.run import Run
from lgq_explore.training.to_the_end import train_to_the_end

from .markdown import count, one_line_each, table
from .results import about_runs

COLUMNS = {
    "PSNR, dB": ("psnr_db", ".2f"),
    "SSIM": ("ssim", ".3f"),
    "luminance, dB": ("luminance_psnr_db", ".2f"),
    "colour error": ("colour_error", ".2f"),
    "active codes": ("active_codes", "d"),
    "perplexity": ("perplexity", ".0f"),
    "bits per pixel": ("bits_per_pixel", ".3f"),
}
"""Columns of the table, each with the key of a result that fills it, and its format."""

ROWS = {"method": "quantizer", "codes K": "codebook_size"}
"""The first columns of the table, each with the key of a result; results that agree in them share a row."""


@dataclass(frozen=True)
class Repeats:
    """How often a recipe is trained: with every seed, and each seed with several rounding replicates.

    Replicates of a seed differ in rounding only (`TrainConfig.rounding_replicate`), so a difference no larger than
    theirs has no meaning. Raises InputError if there is nothing to train.
    """

    seeds: Sequence[int]
    rounding_replicates: int = 1

    def __post_init__(self) -> None:
        if not self.seeds:
            raise InputError("0 seeds are too few to compare: give one or more")
        if not 1 <= self.rounding_replicates <= 1 + MOST_ROUNDING_REPLICATES:
            remedy = f"give from 1 to {1 + MOST_ROUNDING_REPLICATES}"
            raise InputError(f"{self.rounding_replicates} rounding replicates are too few or too many: {remedy}")

    def of(self, recipe: TrainConfig) -> list[TrainConfig]:
        """The recipe with every seed and replicate. Raises InputError for an invalid seed."""
        try:
            return [
                replace(recipe, seed=seed, rounding_replicate=replicate)
                for seed in self.seeds
                for replicate in range(self.rounding_replicates)
            ]
        except ValueError as error:
            raise InputError(str(error)) from error


def trained_runs(recipes: Sequence[TrainConfig], device: str) -> Generator[Run]:
    """Train one recipe after the other; a run's folder exists until the next run is requested."""
    for recipe in recipes:
        with tempfile.TemporaryDirectory(prefix="lgq-explore-bench-") as folder:
            yield train_to_the_end(recipe, Path(folder) / f"{recipe.quantizer.method}-{recipe.seed}", device=device)


def kept_runs(recipes: Sequence[TrainConfig], folder: Path, device: str) -> Generator[Run]:
    """Train one recipe after the other into a folder of runs; what is there already is used, or trained to its end."""
    for recipe in recipes:
        name = f"{recipe.quantizer.method}-{recipe.recipe_hash}-seed{recipe.seed}-{recipe.rounding_replicate}"
        yield train_to_the_end(recipe, folder / name, device=device)


def compare_quantizers(
    recipes: Sequence[TrainConfig],
    repeats: Repeats,
    device: str = "auto",
    *,
    runs: Path | None = None,
    without: Sequence[str] = (),
) -> dict[str, Any]:
    """Train every recipe, repeated as `repeats` says, and evaluate the runs on the held-out photographs.

    runs: a folder that keeps the runs, in which the same call continues a comparison that was interrupted; by default
    none is kept. without: slow metrics to leave out, as for `evaluate`. Returns a JSON object: the environment, the
    recipes by their hash, and one `evaluate` result per run. Raises InputError if there is nothing to train, or one
    method twice with one number of codes.
    """
    require_each_once(recipes)
    recipes = [resolved(recipe) for recipe in recipes]
    configs = [config for recipe in recipes for config in repeats.of(recipe)]
    results, environment = [], {}
    for run in trained_runs(configs, device) if runs is None else kept_runs(configs, runs, device):
        results.append(evaluated(run, without))
        environment = run.environment.__dict__
    return {**about_runs("quantizers", recipes, environment), "results": results}


def evaluated(run: Run, without: Sequence[str] = ()) -> Mapping[str, Any]:
    """What `evaluate` says of a finished run; a whole result that is kept in its folder is not computed again."""
    kept = {} if without else kept_metrics(run)
    return kept if kept.get("steps") == run.config.steps else evaluate(run, without=without)


def resolved(recipe: TrainConfig) -> TrainConfig:
    """The recipe as it will be in its run, with an absolute folder, so that their hashes are equal."""
    return replace(recipe, data=resolve_spec(recipe.data))


def measure_run(case: Mapping[str, Any]) -> dict[str, Any]:
    """Train `recipe` on `device` and evaluate it on at most `crops` crops; to be run in a fresh process."""
    runs = trained_runs([config_from_json(case["recipe"])], case["device"])
    with closing(runs):
        run = next(runs)
        return {
            "result": evaluate(run, crops=case["crops"], device=case["device"]),
            "environment": run.environment.__dict__,
            "training_seconds": float(run.history()["seconds"].iloc[-1]),
        }


def require_each_once(recipes: Sequence[TrainConfig]) -> None:
    """Raise InputError if there is no recipe, or one method twice with one number of codes."""
    named = [f"{recipe.quantizer.method} with {recipe.quantizer.size} codes" for recipe in recipes]
    if not named:
        raise InputError("0 methods are too few to compare: give one or more")
    if twice := [name for name, times in Counter(named).items() if times > 1]:
        raise InputError(f"{twice[0]} is given twice: give each method and codebook size once")


def rounding_spread(results: Sequence[Mapping[str, Any]], key: str) -> float | None:
    """The largest difference by rounding alone: between replicates of one seed, over all seeds.

    None if no seed has replicates, or values are missing.
    """
    of_seed: dict[int, list[float | None]] = {}
    for result in results:
        of_seed.setdefault(result["seed"], []).append(_value(result, key))
    replicated = [[value for value in values if value is not None] for values in of_seed.values() if len(values) > 1]
    return max((max(values) - min(values) for values in replicated if values), default=None)


def markdown_table(
    comparison: dict[str, Any],
    columns: Mapping[str, tuple[str, str]] = COLUMNS,
    rows: Mapping[str, str] = ROWS,
) -> str:
    """One row per method and number of codes, with the value of every seed in each cell; below it recipe, seeds and N.

    With rounding replicates, a value is their mean, followed by the rounding spread in brackets. Of one value for each
    number of codes, a method has one row. A column that no result has is left out. rows: see `ROWS`.
    """
    results = comparison["results"]
    by_row = _by_row(results, rows)
    shown = {head: column for head, column in columns.items() if any(_has(result, column[0]) for result in results)}
    lines = [
        [*map(_named, heading), *(_cell(of_row, key, style) for key, style in shown.values())]
        for heading, of_row in by_row.items()
    ]
    names = sum(isinstance(value, str) for value in next(iter(by_row)))
    if rows == ROWS and all(len(of_row) == 1 for of_row in by_row.values()):
        lines = one_line_each(lines)
    return "\n\n".join([table([*rows, *shown], lines, left=names), _caption(comparison, by_row)])


def _by_row(results: Sequence[dict[str, Any]], rows: Mapping[str, str]) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    """The results of each row of the table, by the values of its first columns."""
    by_row: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for result in results:
        by_row.setdefault(tuple(result[key] for key in rows.values()), []).append(result)
    return by_row


def _named(value: str | int) -> str:
    return f"`{value}`" if isinstance(value, str) else str(value)


def _cell(results: Sequence[Mapping[str, Any]], key: str, style: str) -> str:
    seeds = dict.fromkeys(result["seed"] for result in results)
    values = [_mean([_value(result, key) for result in results if result["seed"] == seed]) for seed in seeds]
    spread = rounding_spread(results, key)
    floor = "" if spread is None else f" ({spread:{style}})"
    return " · ".join(_number(value, style) for value in values) + floor


def _value(result: Mapping[str, Any], key: str) -> Any:
    """The value of a key, which may have dots for nested objects, such as `fd.value`; None where it is missing."""
    inner: Any = result
    for name in key.split("."):
        inner = None if inner is None else inner.get(name)
    return inner


def _has(result: Mapping[str, Any], key: str) -> bool:
    return key.split(".")[0] in result  # older results lack what was not measured then


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _number(value: float | None, style: str) -> str:
    if value is None:
        return "–"
    return format(round(value) if style == "d" else value, style)


def _caption(comparison: dict[str, Any], by_row: Mapping[Any, Sequence[Mapping[str, Any]]]) -> str:
    """What was trained and measured. Older results have no rounding replicates and no scenes."""
    results = comparison["results"]
    first, recipe = results[0], next(iter(comparison["recipes"].values()))
    seeds = ", ".join(map(str, dict.fromkeys(result["seed"] for result in results)))
    runs_of_a_seed = [
        runs for of_row in by_row.values() for runs in Counter(result["seed"] for result in of_row).values()
    ]
    fewest, replicates = min(runs_of_a_seed), max(runs_of_a_seed)
    a_value = f"One value per seed ({seeds})"
    if replicates > 1:
        up_to = "" if fewest == replicates else "up to "
        a_value += (
            f": the mean of {up_to}{replicates} runs that differ in rounding alone, and in brackets the largest "
            "difference between such runs of a seed, below which a difference says nothing. Values are"
        )
    else:
        a_value += ","
    scenes = f", which show {count(first['scenes'], 'scene')}" if "scenes" in first else ""
    return (
        f"One recipe for all: {recipe['data']}, {recipe['image_size']} px, {first['steps']} steps of "
        f"{recipe['batch_size']} crops, D = {first['dim']}. {a_value} measured on N = {first['images']} held-out crops "
        f"({first['tokens']} tokens) of {first['photographs']} photographs{scenes}; "
        f"{comparison['date']}, {comparison['device']}."
    )
