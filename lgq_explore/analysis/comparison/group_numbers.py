"""Numbers of groups of runs with their intervals, and the differences between groups."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from lgq_explore.frames.comparison import GROUP_DIFFERENCES, GROUP_NUMBERS, GROUP_RATIOS
from lgq_explore.statistics import Interval, difference_interval, holm, ratio_interval

from .groups import Group, GroupedRuns
from .intervals import interval_columns, mean_columns, no_mean_columns, spread
from .measured_run import FRECHET, KEPT, OF_CODES, OF_PHOTOGRAPHS

NUMBERS = ("psnr_db", "ssim", "l1", "fd", "lpips", "feature_error", *OF_CODES)
"""All numbers of a comparison, in the order of its tables."""

RATIOS = (FRECHET,)
"""Numbers that are compared by their ratio, too, since their unit says little."""


def group_numbers(compared: GroupedRuns, numbers: Sequence[str] = NUMBERS) -> pd.DataFrame:
    """Each number of each group with its interval, one row each: `frames.comparison.GROUP_NUMBERS`."""
    return GROUP_NUMBERS.frame(
        [
            {"group": group.name, "method": group.method, "codebook_size": group.codebook_size, "number": number}
            | _number(compared, group, number)
            for group in compared.groups
            for number in numbers
        ]
    )


def group_differences(compared: GroupedRuns, numbers: Sequence[str] = NUMBERS) -> pd.DataFrame:
    """Differences of all pairs of groups, one row per pair and number: `frames.comparison.GROUP_DIFFERENCES`.

    Seeds are paired where both groups have the same: then they share the order of the data and the first weights of
    encoder and decoder. Numbers that one of the groups does not have, and those that are of the last `evaluate`, have
    no row.
    """
    return GROUP_DIFFERENCES.frame(_pairs(compared, numbers, "difference", difference_interval))


def group_ratios(compared: GroupedRuns, numbers: Sequence[str] = RATIOS) -> pd.DataFrame:
    """Ratios of all pairs of groups, one row per pair and number: `frames.comparison.GROUP_RATIOS`.

    Intervals and p-values are of the logarithm. Otherwise it is as `group_differences`; a number that is 0 has no row.
    Of drawn methods that lose as much of their pictures, with five seeds on 8 and on 30 photographs, intervals at 95 %
    held the ratio of FD, 1, in 96.8 and 94.7 % of 1,000 repetitions.
    """
    return GROUP_RATIOS.frame(_pairs(compared, numbers, "ratio", ratio_interval))


def _pairs(
    compared: GroupedRuns, numbers: Sequence[str], column: str, interval: Callable[..., Interval]
) -> list[dict[str, object]]:
    """A row per pair of groups and number; column: the name of the estimate."""
    rows = []
    for number in numbers:
        values = {group.name: compared.values(group, number) for group in compared.groups}
        of_number = []
        for first, second in itertools.combinations(compared.groups, 2):
            a, b = values[first.name], values[second.name]
            if a is None or b is None or (interval is ratio_interval and min(a.mean(), b.mean()) <= 0):
                continue
            paired = first.seeds == second.seeds
            found = interval(a, b, paired_seeds=paired, weights=compared.weights(number))
            of_number.append(
                {"first": first.name, "second": second.name, "number": number, column: found.estimate}
                | interval_columns(found)
                | {"p_value": math.nan if found.p_value is None else found.p_value, "paired_seeds": paired}
            )
        rows += _with_holm(of_number)
    return rows


def _with_holm(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    p_values = np.array([row["p_value"] for row in rows], dtype=np.float64)
    known = np.isfinite(p_values)
    adjusted = np.full(len(rows), math.nan)
    adjusted[known] = holm(p_values[known])
    return [row | {"p_holm": float(p)} for row, p in zip(rows, adjusted, strict=True)]


def _number(compared: GroupedRuns, group: Group, number: str) -> dict[str, object]:
    values = compared.values(group, number)
    if values is None and number in KEPT:
        return _kept(compared, group, number)
    if values is None:
        has_codes = group.runs[0].counts is not None
        why = "It was not measured." if number in OF_PHOTOGRAPHS or has_codes else "The method has no codes."
        return _nothing(compared, group, why)
    return mean_columns(values, compared.weights(number))


def _kept(compared: GroupedRuns, group: Group, number: str) -> dict[str, object]:
    of_seeds = group.by_seed(lambda run: np.array(run.kept_number(number)))
    if not np.isfinite(of_seeds).all():
        return _nothing(compared, group, "Not every run was evaluated with it: lgq-explore evaluate RUN.")
    with_it = [run for each in compared.groups for run in each.runs if math.isfinite(run.kept_number(number))]
    if len({(run.kept["images"], run.kept[number].get(KEPT[number])) for run in with_it}) > 1:
        why = "The runs were evaluated on unequal numbers of crops, or by other networks: evaluate all of them alike."
        return _nothing(compared, group, why)
    why = "It is of the last evaluate of each run, which keeps no numbers of photographs: no interval."
    if number == FRECHET:
        why += " --features measures it with one."
    return _nothing(compared, group, why) | {"estimate": float(of_seeds.mean()), "spread": spread(of_seeds)}


def _nothing(compared: GroupedRuns, group: Group, why: str) -> dict[str, object]:
    return no_mean_columns(len(group.seeds), len(compared.digests), why)
