"""Evidence on runs and the verdicts on it, gathered one run after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from lgq_explore import analysis
from lgq_explore.analysis.health import Evidence
from lgq_explore.errors import InputError
from lgq_explore.runs.frozen_run import FolderWatch, stamp_of
from lgq_explore.runs.run import Run, open_run

from ..parts.studies import remarks_on
from ..parts.work.one_by_one import OneByOne


@dataclass(frozen=True, eq=False)
class GatheredRun:
    """A run as it was looked at: the evidence, the verdicts on it, and what its folder lacked."""

    run: Run
    evidence: Evidence
    verdicts: pd.DataFrame
    remarks: list[str]
    watch: FolderWatch


class Gathering(OneByOne[GatheredRun]):
    """Runs by name, of which some were looked at already; their folders are read anew each time.

    At most `crops` crops of a run's held-out pictures are encoded, or of `data`, the SPEC of other ones.
    """

    def __init__(self, runs: Mapping[str, Run], crops: int, data: str | None) -> None:
        super().__init__(runs, self._gathered, done="looked at")
        self._paths = {name: run.path for name, run in runs.items()}
        self._crops, self._data = crops, data

    def newest(self, name: str) -> GatheredRun:
        """What was found last of a run; gathered now where nothing was. Raises InputError."""
        known = self.known()
        if name not in known and name in self.refusals:
            raise InputError(self.refusals[name])
        return known.get(name) or self.of(name)

    def arguments(self) -> list[str]:
        """What decides on the pictures, as Python."""
        crops = [] if self._crops == analysis.health.CROPS else [f"crops={self._crops}"]
        data = next((run.evidence.data for run in self.known().values() if run.evidence.data), self._data)
        return [*crops, *([] if data is None else [f"data={data!r}"])]

    def _gathered(self, name: str) -> GatheredRun:
        """Of the run that stands there now: the recipe belongs to what is read."""
        path = self._paths[name]
        stamp, run = stamp_of(path), open_run(path)
        evidence = analysis.health.gather_evidence(run, self._data, self._crops)
        watch = FolderWatch(run, evidence.weights, evidence.finished_steps, stamp)
        return GatheredRun(run, evidence, analysis.health.judge(evidence), remarks_on(run), watch)
