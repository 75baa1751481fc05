"""All runs of a folder in one frame, and the mean and spread of each recipe over its seeds.

No run is evaluated here: the numbers are those that `evaluate` kept and that training logged.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pandas as pd

from lgq_explore.errors import InputError
from lgq_explore.frames.comparison import HELD_OUT, LOGGED, OVER_SEEDS, RECIPE, RUNS
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.overview import RunOverview, overviews

from .phases import phase_of

NOT_EVALUATED = "not evaluated"
"""The remark on a run without numbers on held-out pictures."""


def runs_in(folder: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """One row per run in a folder (by default data/runs), sorted by name; empty where there are none.

    A number that was not measured is missing, and `remark` says so. A run that can't be opened has its name and the
    reason.

    Raises:
        InputError: a folder that does not exist, or that is itself a run.
    """
    return RUNS.frame([_row(seen) for seen in overviews(folder)])


def over_seeds(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per recipe and number: mean and standard deviation over its finished runs.

    runs: of `runs_in`, or some rows of it. Runs that are not finished are left out. There is no mean of numbers that
    were taken over different numbers of tokens or, of the Fréchet distance, in features of different networks.

    Raises:
        InputError: a frame of something else.
    """
    RUNS.require(runs)
    trained = runs[runs["opens"]]
    rows: list[dict[str, Any]] = []
    for recipe, group in trained.groupby("recipe_hash", sort=False):
        common = {name: group[name].iloc[0] for name in RECIPE}
        finished = group[group["step"] >= group["steps"]]
        rows += [common | {"recipe_hash": recipe} | _mean(finished, number) for number in (*HELD_OUT, *LOGGED)]
    return OVER_SEEDS.frame(rows)


def _row(seen: RunOverview) -> dict[str, Any]:
    if seen.run is None:
        return _without_numbers(seen) | {"remark": seen.trouble}
    config, metrics, logged = seen.run.config, seen.metrics or {}, seen.logged or {}
    try:
        phase = phase_of(config, seen.finished_steps)
    except InputError as error:  # settings of another version
        return _without_numbers(seen) | {"remark": str(error)}
    return (
        _without_numbers(seen)
        | {
            "method": config.quantizer.method,
            "codebook_size": float(config.quantizer.size),
            "data": config.data,
            "image_size": config.image_size,
            "recipe_hash": config.recipe_hash,
            "seed": config.seed,
            "step": seen.finished_steps,
            "steps": config.steps,
            **phase,
            "begun": datetime.fromtimestamp(int(seen.begun)),
        }
        | {name: _number(metrics.get(name)) for name in HELD_OUT}
        | {"tokens": metrics.get("tokens", pd.NA), "fd_features": _features(metrics.get("fd"))}
        | _logged(logged, config)
        | {"opens": seen.finished_steps > 0, "remark": _remark(seen)}
    )


def _without_numbers(seen: RunOverview) -> dict[str, Any]:
    """The row of a run of which nothing but the name is known."""
    missing = {"str": "", "bool": False, "float64": math.nan, "datetime64[s]": pd.NaT}
    return {name: missing.get(dtype, pd.NA) for name, (dtype, _) in RUNS.described.items()} | {"run": seen.path.name}


def _remark(seen: RunOverview) -> str:
    """What a reader may miss in the row, in a few words."""
    if not seen.finished_steps:
        return "; ".join(filter(None, ["no weights yet", seen.remark]))
    return seen.remark if seen.metrics or seen.remark else NOT_EVALUATED


def _logged(row: Mapping[str, float], config: TrainConfig) -> dict[str, float]:
    """The numbers of a row of the history; usage is that of its window."""
    span = f"last_{config.window_steps}_steps"
    return {
        "loss": row.get("loss", math.nan),
        "training_active_codes": row.get(f"active_codes_{span}", math.nan),
        "training_perplexity": row.get(f"perplexity_{span}", math.nan),
        "training_tokens": row.get(f"tokens_{span}", math.nan),
    }


def _number(value: Any) -> float:
    """A number of `evaluate`; some are objects with a value, and others are missing."""
    inner = value.get("value") if isinstance(value, Mapping) else value
    return float(inner) if isinstance(inner, int | float) else math.nan


def _features(distance: Any) -> str:
    return str(distance["features"]) if isinstance(distance, Mapping) and distance.get("value") is not None else ""


def _mean(finished: pd.DataFrame, number: str) -> dict[str, Any]:
    having = finished.dropna(subset=number)
    why = "" if len(having) else "no finished run has it"
    of_one_kind = {"tokens" if number in HELD_OUT else "training_tokens": "numbers of tokens"}
    if number == "fd":
        of_one_kind["fd_features"] = "features"
    for column, words in of_one_kind.items():
        if having[column].nunique() > 1:
            why = f"their {words} differ"
    values = having[number] if not why else having[number].iloc[:0]
    return {
        "number": number,
        "mean": values.mean(),
        "spread": values.std(),
        "runs": len(having),
        "seeds": having["seed"].nunique(),
        "why": why,
    }
