"""The learning rate at which a recipe trains best over all methods, by the training loss.

The rule was set before anything was measured. Every method of QUANTIZERS is trained at every rate, with every seed and
rounding replicate. A run's training L1 is the mean of `loss_l1` over the rows of its history in the last fifth of its
steps. The chosen rate has the lowest mean training L1 over all runs, among the rates of at most HIGHEST_RATE. Held-out
pictures do not affect the choice; the change of their PSNR by rounding alone is reported in addition.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from lgq_explore.errors import InputError
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.evaluate import evaluate
from lgq_explore.runs.run import Run

from .markdown import count, table
from .quantizers import Repeats, require_each_once, rounding_spread, trained_runs
from .results import about_runs

RATES = (2e-3, 1e-3, 5e-4)

HIGHEST_RATE = 1e-3
"""The highest rate that may be chosen. Published runs have 1e-4 to 8e-4; `tiny` had twice this rate before."""

WINDOW = 0.2
"""The share of the steps, at the end, over which training L1 is averaged."""


def measure_learning_rates(
    recipes: Sequence[TrainConfig], rates: Sequence[float], repeats: Repeats, device: str = "auto"
) -> dict[str, Any]:
    """Train every recipe at every rate, repeated as `repeats` says, and choose a rate by the rule above.

    Returns a JSON object: the environment, the recipes by their hash (as given; a result's hash is that of its own
    rate), one result per run, and the chosen rate. Raises InputError for no methods, one method twice, and rates of
    which none may be chosen.
    """
    require_each_once(recipes)
    at_each_rate = recipes_at_rates(recipes, rates)
    results, environment = [], {}
    for run in trained_runs([config for recipe in at_each_rate for config in repeats.of(recipe)], device):
        results.append(_result(run))
        environment = run.environment.__dict__
    return {
        **about_runs("learning-rates", recipes, environment),
        "protocol": {"window": WINDOW, "highest_rate": HIGHEST_RATE},
        "results": results,
        "chosen": chosen_rate(results),
    }


def recipes_at_rates(recipes: Sequence[TrainConfig], rates: Sequence[float]) -> list[TrainConfig]:
    """Every recipe at every rate. Raises InputError for an invalid rate, and if none may be chosen."""
    if not any(rate <= HIGHEST_RATE for rate in rates):
        raise InputError(f"learning rates {', '.join(map(str, rates))}: give one of at most {HIGHEST_RATE:g}")
    if len(set(rates)) < len(rates):
        raise InputError(f"learning rates {', '.join(map(str, rates))}: give each rate once")
    try:
        return [replace(recipe, learning_rate=rate) for rate in rates for recipe in recipes]
    except ValueError as error:
        raise InputError(str(error)) from error


def training_l1(run: Run) -> float:
    """The mean of `loss_l1` over the rows of the history in the last WINDOW of the steps."""
    history = run.history()
    return float(history.loc[history["step"] > (1 - WINDOW) * run.config.steps, "loss_l1"].mean())


def chosen_rate(results: Sequence[dict[str, Any]]) -> float:
    """The rate of at most HIGHEST_RATE with the lowest mean training L1 over all of its runs."""
    rates = {result["learning_rate"] for result in results if result["learning_rate"] <= HIGHEST_RATE}
    return min(rates, key=lambda rate: _mean(result for result in results if result["learning_rate"] == rate))


def _result(run: Run) -> dict[str, Any]:
    config = run.config
    return {
        "quantizer": config.quantizer.method,
        "codebook_size": config.quantizer.size,
        "learning_rate": config.learning_rate,
        "training_l1": training_l1(run),
        "psnr_db": evaluate(run, metrics=["quality"])["psnr_db"],
        "seed": config.seed,
        "rounding_replicate": config.rounding_replicate,
        "steps": run.finished_steps,
        "recipe_hash": config.recipe_hash,
    }


def _mean(results: Any) -> float:
    return statistics.fmean(result["training_l1"] for result in results)


def markdown_table(measured: dict[str, Any]) -> str:
    """One row per method and one column per rate: mean training L1, rounding spread in brackets; the chosen is bold."""
    results, chosen = measured["results"], measured["chosen"]
    rates = sorted({result["learning_rate"] for result in results}, reverse=True)
    methods = list(dict.fromkeys(result["quantizer"] for result in results))
    rows = [
        [f"`{method}`", *(_cell([each for each in results if _is(each, rate, method)]) for rate in rates)]
        for method in methods
    ]
    means = [f"{_mean(each for each in results if each['learning_rate'] == rate):.4f}" for rate in rates]
    rows.append(["mean", *(f"**{mean}**" if rate == chosen else mean for rate, mean in zip(rates, means, strict=True))])
    if any(result["rounding_replicate"] for result in results):
        rows.append(["PSNR by rounding, dB", *(_psnr_by_rounding(results, rate, methods) for rate in rates)])
    header = ["training L1", *(f"{rate:g}" for rate in rates)]
    return table(header, rows, left=1) + "\n\n" + _caption(measured)


def _psnr_by_rounding(results: Sequence[dict[str, Any]], rate: float, methods: Sequence[str]) -> str:
    """Differences in held-out PSNR by rounding alone: the mean over the methods, and the largest."""
    of_methods = (
        rounding_spread([each for each in results if _is(each, rate, method)], "psnr_db") for method in methods
    )
    spreads = [spread for spread in of_methods if spread is not None]
    return f"{statistics.fmean(spreads):.2f} ({max(spreads):.2f})"


def _is(result: dict[str, Any], rate: float, method: str) -> bool:
    return bool(result["learning_rate"] == rate and result["quantizer"] == method)


def _cell(results: Sequence[dict[str, Any]]) -> str:
    spread = rounding_spread(results, "training_l1")
    return f"{_mean(results):.4f}" + ("" if spread is None else f" ({spread:.4f})")


def _caption(measured: dict[str, Any]) -> str:
    results, protocol = measured["results"], measured["protocol"]
    recipe = next(iter(measured["recipes"].values()))
    seeds = len({result["seed"] for result in results})
    replicates = len({result["rounding_replicate"] for result in results})
    brackets = (
        ", and in brackets the largest difference that rounding alone made; last, what it made of the PSNR of held-out "
        "crops: the mean over the methods, and the largest"
        if replicates > 1
        else ""
    )
    return (
        f"Mean L1 over the last {protocol['window']:.0%} of {recipe['steps']} steps of {recipe['batch_size']} crops "
        f"({recipe['data']}, {recipe['image_size']} px), over {count(seeds, 'seed')} and "
        f"{count(replicates, 'rounding replicate')}{brackets}. Chosen, by the rule in `bench/learning_rates.py`: the "
        f"lowest mean of the rates up to {protocol['highest_rate']:g}. {measured['date']}, {measured['device']}."
    )
