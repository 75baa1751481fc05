"""Runs that are measured one after the other, and comparisons of some of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial

from lgq_explore.analysis.comparison.compare import Comparison, comparison_of, measure
from lgq_explore.analysis.comparison.groups import in_groups
from lgq_explore.analysis.comparison.measured_run import MeasuredRun
from lgq_explore.errors import InputError, printable
from lgq_explore.kept import Kept
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.picture_features import FeaturesOfStudies
from lgq_explore.runs.study import CROPS

from ..parts.work.background import Work
from ..parts.work.one_by_one import OneByOne
from .subjects import Subject, subject_of_comparison

COMPARISONS_KEPT = 8
"""Of choices of groups and seeds: whoever compares goes back and forth between them."""


class PlannedRun:
    """A run that is to be measured, with what tells its group."""

    def __init__(self, name: str, config: TrainConfig, label: str = "") -> None:
        self.name, self.config = name, config
        self.label = label or config.quantizer.method
        self.codebook_size = config.quantizer.size if config.quantizer.has_codes else 0


class Comparing:
    """The comparison of some runs, and of any choice of their groups and seeds. Any thread may ask.

    groups: the runs of each group. ready: a comparison that is made already.
    """

    def __init__(self, subject: Subject, crops: int, features: bool, ready: Comparison | None = None) -> None:
        self.subject, self.crops, self.features = subject, crops, features
        self.runs = runs = subject.runs
        self._ready = ready
        self._features_of = cache(lambda: FeaturesOfStudies() if features else None)
        self._measuring: OneByOne[MeasuredRun] = OneByOne(
            [] if ready else runs,
            self._measure,
            done="measured",
        )
        self._kept = Kept[tuple[object, ...], Comparison](most=COMPARISONS_KEPT)
        self.groups: dict[str, list[PlannedRun]] = (
            _groups_of(ready)
            if ready
            else in_groups([PlannedRun(name, run.config, subject.label(name)) for name, run in runs.items()])
        )

    @classmethod
    def ready_made(cls, comparison: Comparison) -> Comparing:
        """Of a comparison that is made already."""
        has_features = "feature_error" in set(comparison.numbers.dropna(subset="estimate")["number"])
        return cls(subject_of_comparison(comparison), comparison.crops, has_features, comparison)

    @property
    def arguments(self) -> list[str]:
        """What makes it again, as Python; a comparison that no runs make again is `comparison` there."""
        if not self.subject.arguments:
            return ["comparison"]
        crops = [] if self.crops == CROPS else [f"crops={self.crops}"]
        return [*self.subject.arguments, *crops, *(["features=True"] if self.features else [])]

    @property
    def seeds(self) -> list[int]:
        """Of all runs, ascending."""
        return sorted({run.config.seed for members in self.groups.values() for run in members})

    def measure_all(self) -> None:
        """Measure all runs before this returns. Raises InputError."""
        self._measuring.all()

    @property
    def whole(self) -> Comparison:
        """Of all runs that could be measured. Raises InputError."""
        return self._ready or self._kept.get((), self._compare)

    def of(self, groups: Sequence[str], seeds: Sequence[int]) -> Comparison:
        """The comparison of some groups and seeds. Raises InputError where no run is of both."""
        if set(groups) >= {*self.groups} and set(seeds) >= {*self.seeds}:
            return self.whole
        return self._kept.get(_key(groups, seeds), lambda: self.whole.only(groups, seeds))

    def work(self, groups: Sequence[str], seeds: Sequence[int]) -> Work | None:
        """What has to be computed before `of` answers at once; None where nothing has, or there is nothing to show."""
        name = self._measuring.next_due()
        if name is not None:
            done, every = len(self.runs) - self._due, len(self.runs)
            what = f"the measurement of {printable(name)}, {done + 1} of {every},"
            return Work(what, partial(self._measuring.attempt, name))
        if not self._ready and not self._kept.is_known(()):
            return self._piece(lambda: self.whole)
        is_all = set(groups) >= {*self.groups} and set(seeds) >= {*self.seeds}
        if is_all or self._kept.is_known(_key(groups, seeds)) or not self._has_runs(groups, seeds):
            return None
        return self._piece(partial(self.of, groups, seeds))

    def progress(self) -> str:
        """How many runs are measured; empty where all were tried."""
        return self._measuring.progress()

    def refused(self) -> str:
        """A line for each run that could not be measured."""
        return self._measuring.refused()

    @property
    def _due(self) -> int:
        return sum(map(self._measuring.is_due, self._measuring.names))

    def _piece(self, make: Callable[[], Comparison]) -> Work:
        return Work("the comparison", make)

    def _has_runs(self, groups: Sequence[str], seeds: Sequence[int]) -> bool:
        return any(run.config.seed in seeds for name in groups for run in self.groups[name])

    def _compare(self) -> Comparison:
        measured = self._measuring.known()
        if waits := self.progress():
            raise InputError(f"{waits}: wait for the others (await panel.ready())")
        if not measured:
            raise InputError(f"no run could be measured: {self.refused()}")
        runs = {name: self.runs[name] for name in measured}
        return comparison_of(runs, list(measured.values()), crops=self.crops, recorded=self.subject.recorded)

    def _measure(self, name: str) -> MeasuredRun:
        noted = self.subject.recorded.get(name)
        return measure(name, self.runs[name], crops=self.crops, features_of=self._features_of(), recorded=noted)


def _groups_of(comparison: Comparison) -> dict[str, list[PlannedRun]]:
    return {
        group.name: [PlannedRun(run.name, run.config, run.label) for run in group.runs]
        for group in comparison.grouped.groups
    }


def _key(groups: Sequence[str], seeds: Sequence[int]) -> tuple[object, ...]:
    return tuple(sorted(groups)), tuple(sorted(seeds))
