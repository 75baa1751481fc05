"""All numbers of a comparison of runs: what `lgq-explore compare` prints, and what its report shows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from lgq_explore.errors import InputError, printable
from lgq_explore.frames.comparison import FRECHET_SIZES, GROUP_RATIOS, LEDGER_FIELDS
from lgq_explore.runs.picture_features import FeaturesOfStudies
from lgq_explore.runs.run import Run
from lgq_explore.runs.study import CROPS, Study, study

from .curves import curve_differences
from .frechet_sizes import frechet_sizes
from .given import RunOrPath, given_runs
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
    frechet_sizes: of `group_ratios` and `frechet_sizes`, without rows where no features were measured. recorded: what a
    sweep has noted of runs, by their names.
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
    recorded: Mapping[str, Recorded] = field(default_factory=dict)

    @cached_property
    def ledger_of_groups(self) -> pd.DataFrame:
        """The ledger with a column per group (`ledger.by_groups`)."""
        return by_groups(self.ledger, {group.name: [run.name for run in group.runs] for group in self.grouped.groups})

    def only(self, groups: Collection[str], seeds: Collection[int]) -> Comparison:
        """The comparison of some groups, by their names, and of their runs of some seeds, on the same photographs.

        Raises:
            InputError: none of these groups has a run of these seeds.
        """
        kept = self.grouped.only(groups, seeds)
        names = {run.name for group in kept.groups for run in group.runs}
        runs = {name: run for name, run in self.runs.items() if name in names}
        return _of_groups(runs, kept, self.crops, self.recorded)

    def pair(self, asked: Sequence[str] = ()) -> tuple[str, str]:
        """The names of two groups: those asked for, or the two of the highest PSNR, with codes where two have some.

        The second is empty where there is one group alone.

        Raises:
            InputError: a name that no group has.
        """
        names = [group.name for group in self.grouped.groups]
        for name in asked:
            if name not in names:
                listed = ", ".join(map(printable, names))
                raise InputError(f"there is no group {printable(name)!r}: choose two of {listed}")
        if asked:
            return asked[0], asked[1]
        numbers = self.numbers[self.numbers["number"] == "psnr_db"].dropna(subset="estimate")
        coded = numbers[numbers["codebook_size"] > 0]
        ranked = list((coded if len(coded) > 1 else numbers).sort_values("estimate", ascending=False)["group"])
        return (ranked[0], ranked[1]) if len(ranked) > 1 else (names[0], "")

    def runs_shown(self, groups: Collection[str]) -> str:
        """Which runs `study_of` gives of these groups, in words: `one run of each group, seed 0 of 3`."""
        seeds = [group.seeds for group in self.grouped.groups if group.name in groups]
        which = {f"seed {each[0]} of {len(each)}" for each in seeds}
        if len(which) == 1:
            return f"one run of each group, {which.pop()}"
        numbers = sorted({len(each) for each in seeds})
        return f"one run of each group, its lowest seed of {' or '.join(map(str, numbers))}"

    def study_of(self, group: str) -> Study:
        """The pictures of a group's run of the lowest seed.

        Raises:
            InputError: a group that is not there, or pictures that can't be read any more.
        """
        runs = [run for each in self.grouped.groups if each.name == group for run in each.runs]
        if not runs:
            raise InputError(f"{printable(group)} has no run that was measured: choose another group")
        first = min(runs, key=lambda run: run.config.seed)
        return study(self.runs[first.name], crops=self.crops)


def compare(
    runs: RunOrPath | Iterable[RunOrPath],
    *,
    crops: int = CROPS,
    features: bool = False,
    recorded: Mapping[str, Recorded] | None = None,
    measured: Callable[[str], None] | None = None,
) -> Comparison:
    """Compare runs on the held-out photographs that all of them share.

    runs: opened, their names under data/runs, or folders: of a run, of several, or of a sweep, whose notes are taken,
    too (`analysis.comparison.given_runs`). crops: the most of each run. features: whether FD, with its interval, and
    the feature error are measured in features of EfficientNet-Lite0, which takes some 0.1 s a crop on a CPU. recorded:
    what is noted of runs besides, by their names. measured: is told each run that is done.

    Raises:
        InputError: no runs, one without weights or held-out pictures, or runs without a common photograph.
    """
    given = given_runs(runs)
    named = names_of(given.runs)
    noted = given.recorded_of(named) | dict(recorded or {})
    parts: list[MeasuredRun] = []
    features_of = FeaturesOfStudies() if features else None
    for name, run in named.items():
        parts.append(measure(name, run, crops=crops, features_of=features_of, recorded=noted.get(name)))
        if measured:
            measured(name)
    return comparison_of(named, parts, crops=crops, recorded=noted)


def measure(
    name: str,
    run: Run,
    *,
    crops: int = CROPS,
    features_of: FeaturesOfStudies | None = None,
    recorded: Recorded | None = None,
) -> MeasuredRun:
    """What a comparison keeps of one run, with its errors. features_of: None to have no features."""
    made = study(run, crops=crops)
    found = None if features_of is None else features_of(made, progress=False)
    return measure_run(name, run, made, found, (recorded or Recorded()).method)


def comparison_of(
    runs: Mapping[str, Run],
    parts: Sequence[MeasuredRun],
    *,
    crops: int = CROPS,
    recorded: Mapping[str, Recorded] | None = None,
) -> Comparison:
    """The comparison of runs that are measured. runs: by the names of their parts. Raises InputError, as `compare`."""
    return _of_groups(runs, grouped(parts), crops, recorded or {})


def _of_groups(
    runs: Mapping[str, Run], groups: GroupedRuns, crops: int, recorded: Mapping[str, Recorded]
) -> Comparison:
    return Comparison(
        runs,
        groups,
        ledger(runs, recorded),
        group_numbers(groups),
        group_differences(groups),
        curve_differences(groups),
        crops,
        group_ratios(groups),
        frechet_sizes(groups),
        recorded,
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
