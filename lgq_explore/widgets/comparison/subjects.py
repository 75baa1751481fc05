"""The runs that a panel of a comparison is given, with what sweeps have noted of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lgq_explore.analysis.comparison.compare import Comparison, names_of
from lgq_explore.analysis.comparison.given import given_runs
from lgq_explore.analysis.comparison.run_facts import Recorded
from lgq_explore.errors import InputError
from lgq_explore.runs.frozen_run import FrozenRun, frozen
from lgq_explore.runs.run import Run, open_run
from lgq_explore.runs.run_description import CONFIG
from lgq_explore.runs.run_paths import path_of_run
from lgq_explore.runs.study import Study

from ..parts.studies import RunLike, run_argument


@dataclass(frozen=True, eq=False)
class Subject:
    """What is compared: runs by the names of a comparison, with what sweeps have noted of them by these, too.

    arguments: how a line of code names them; none where it can't. skipped: a line on each run without weights.
    """

    runs: Mapping[str, FrozenRun]
    arguments: tuple[str, ...] = ()
    recorded: Mapping[str, Recorded] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()

    def label(self, name: str) -> str:
        """The name that a sweep gives a run's method; empty where none does."""
        return self.recorded.get(name, Recorded()).method


def subject_of_runs(given: Sequence[RunLike]) -> Subject:
    """The runs that are meant by opened ones and paths (`analysis.comparison.given_runs`).

    Raises:
        InputError: none, a study, one that is given twice, and as `given_runs`.
    """
    if not given:
        raise InputError("no runs to compare: give at least one, such as lgq.tutorial_run('lgq')")
    for each in given:
        if isinstance(each, Study):
            raise InputError(f"{each!r} is a study: give its run, study.run")
    found = given_runs(given)
    named = names_of(found.runs)
    runs = {name: frozen(run) for name, run in named.items()}
    return Subject(runs, tuple(map(_argument, given)), found.recorded_of(named), found.skipped)


def subject_of_comparison(comparison: Comparison) -> Subject:
    """Its runs. What a sweep has noted is in none of them, so that runs alone do not make such a comparison again."""
    runs = {name: frozen(run) for name, run in comparison.runs.items()}
    arguments = () if comparison.recorded else tuple(map(run_argument, runs.values()))
    return Subject(runs, arguments, comparison.recorded)


def _argument(given: RunLike) -> str:
    """A run by its name where that is enough, and a folder of several as it was given."""
    if isinstance(given, Run):
        return run_argument(given)
    folder = path_of_run(given)
    return run_argument(open_run(folder)) if os.path.isfile(folder / CONFIG) else repr(os.fspath(given))
