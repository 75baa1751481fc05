"""All numbers of a comparison of runs: what `lgq-explore compare` prints, and what its report shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from lgq_explore.errors import InputError, printable
from lgq_explore.frames.comparison import FRECHET_SIZES, GROUP_RATIOS, LEDGER_FIELDS
from lgq_explore.runs.picture_features import FeaturesOfStudies
from lgq_explore.runs.run import Run
from lgq_explore.runs.study import CROPS, study

from .curves import curve_differences
from .frechet_sizes import frechet_sizes
from .group_numbers import group_differences, group_numbers, group_ratios
from .groups import GroupedRuns, grouped
from .ledger import by_groups, ledger
from .measured_run import MeasuredRun, measure_run
from .run_facts import Recorded


@dataclass(frozen=True, eq=False)
class Comparison:
    """Frames of one comparison, and the runs by their names.

    ledger, numbers, differences, curves: of the functions `ledger`, `group_numbers`, `group_differences` and
    `curve_differences` of `analysis.comparison`. crops: the most that were asked for of each run. ratios,
    frechet_sizes: of `group_ratios` and `frechet_sizes`, without rows where no features were measured.
    """

    runs: Mapping[str, Run]
    grouped: GroupedRuns
    ledger: pd.DataFrame
    numbers: pd.DataFrame
    differences: pd.DataFrame
    curves: pd.DataFrame
    crops: int
    ratios: pd.DataFrame = field(default_factory=lambda: GROUP_RATIOS.frame([]))
    frechet_sizes: pd.DataFrame = field(default_factory=lambda: FRECHET_SIZES.frame([]))

    @cached_property
    def ledger_of_groups(self) -> pd.DataFrame:
        """The ledger with a column per group (`ledger.by_groups`)."""
        return by_groups(self.ledger, {group.name: [run.name for run in group.runs] for group in self.grouped.groups})


def compare(
    runs: Iterable[Run],
    *,
    crops: int = CROPS,
    features: bool = False,
    recorded: Mapping[str, Recorded] | None = None,
    measured: Callable[[str], None] | None = None,
) -> Comparison:
    """Compare runs on the held-out photographs that all of them share.

    crops: the most of each run. features: whether FD, with its interval, and the feature error are measured in features
    of EfficientNet-Lite0, which takes some 0.1 s a crop on a CPU. recorded: what a sweep has noted of its runs, by
    their names. measured: is told each run that is done.

    Raises:
        InputError: no runs, one without weights or held-out pictures, or runs without a common photograph.
    """
    named, noted = names_of(runs), recorded or {}
    parts: list[MeasuredRun] = []
    features_of = FeaturesOfStudies() if features else None
    for name, run in named.items():
        made = study(run, crops=crops)
        found = None if features_of is None else features_of(made, progress=False)
        parts.append(measure_run(name, run, made, found, noted.get(name, Recorded()).method))
        if measured:
            measured(name)
    groups = grouped(parts)
    return Comparison(
        named,
        groups,
        ledger(named, noted),
        group_numbers(groups),
        group_differences(groups),
        curve_differences(groups),
        crops,
        group_ratios(groups),
        frechet_sizes(groups),
    )


def names_of(runs: Iterable[Run]) -> dict[str, Run]:
    """Runs by the names of their folders, or by their paths where two have one name or it is a column's.

    Raises:
        InputError: a run that is given twice.
    """
    every = list(runs)
    taken = [run.name for run in every]
    found: dict[str, Run] = {}
    for run in every:
        unique = taken.count(run.name) == 1 and run.name not in LEDGER_FIELDS
        name = run.name if unique else str(run.path)
        if name in found:
            raise InputError(f"{printable(name)} is given twice: leave one of them out")
        found[name] = run
    return found
