"""Numbers of single runs, whose means are those of groups."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lgq_explore.frames.comparison import RUN_NUMBERS
from lgq_explore.runs.evaluate import kept_metrics
from lgq_explore.runs.run import Run

from .group_numbers import NUMBERS
from .groups import GroupedRuns
from .measured_run import FRECHET, KEPT, OF_CODES, OF_PHOTOGRAPHS, MeasuredRun


def run_numbers(compared: GroupedRuns, numbers: Sequence[str] = NUMBERS) -> pd.DataFrame:
    """Each number of each run on the photographs that all share, one row each: `frames.comparison.RUN_NUMBERS`."""
    return RUN_NUMBERS.frame(
        [
            {
                "run": run.name,
                "group": group.name,
                "method": group.method,
                "seed": run.config.seed,
                "replicate": run.config.rounding_replicate,
                "number": number,
                "value": _value(compared, run, number),
            }
            for group in compared.groups
            for run in sorted(group.runs, key=lambda run: (run.config.seed, run.config.rounding_replicate))
            for number in numbers
        ]
    )


def measurable_numbers(runs: Mapping[str, Run], *, features: bool = False) -> list[str]:
    """The numbers that a comparison of these runs can have, before anything is measured.

    Raises:
        InputError: a result of `evaluate` that can't be read.
    """
    kept = [kept_metrics(run) for run in runs.values()]
    has_codes = any(run.config.quantizer.has_codes for run in runs.values())
    without = {number for number in KEPT if not any((each.get(number) or {}).get("value") for each in kept)}
    without = without - {FRECHET} if features else without | {"feature_error"}
    without |= set() if has_codes else {*OF_CODES}
    return [number for number in NUMBERS if number not in without]


def _value(compared: GroupedRuns, run: MeasuredRun, number: str) -> float:
    if number == FRECHET and run.features is not None:
        return run.frechet_distance(compared.digests)
    if number in KEPT:
        return run.kept_number(number)
    if number in OF_PHOTOGRAPHS:
        values = run.of_photographs(compared.digests, number)
        return float(np.average(values, weights=compared.weights(number)))
    usage = run.usage(compared.digests)
    return float(usage[number].mean()) if usage else math.nan
