"""Runs whose codes are counted one after the other, as many as there are, in little memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import pandas as pd

from lgq_explore import analysis
from lgq_explore.runs.run import Run
from lgq_explore.runs.study import CODES_KEPT, CROPS, Study

from ..parts.studies import as_codes, run_argument, study_argument
from ..parts.work.one_by_one import OneByOne

AT_ONCE = 4
"""Runs that are counted before the panel is there; where a kernel's loop runs, it counts the others meanwhile."""


@dataclass(frozen=True, eq=False)
class CountedRun:
    """A study of codes alone, and its frames of `analysis.usage`."""

    study: Study
    usage: pd.DataFrame
    summary: pd.DataFrame
    ranks: pd.DataFrame
    lorenz: pd.DataFrame
    accumulation: pd.DataFrame


@lru_cache(maxsize=CODES_KEPT)
def counted(study: Study) -> CountedRun:
    """How often the codes of a study are used. Raises InputError for too many codes, or none at all."""
    return CountedRun(
        study,
        usage=analysis.usage.per_code(study),
        summary=analysis.usage.summary(study),
        ranks=analysis.usage.by_rank(study),
        lorenz=analysis.usage.lorenz(study),
        accumulation=analysis.usage.accumulation(study),
    )


class Counting(OneByOne[CountedRun]):
    """Runs by name, of which some are counted already.

    subjects: studies, or runs that are looked at through at most `crops` crops of `data` (`parts.studies.as_codes`).
    """

    def __init__(self, subjects: Mapping[str, Study | Run], crops: int, data: str | None) -> None:
        super().__init__(subjects, lambda name: counted(as_codes(subjects[name], crops, data)), done="counted")
        self._subjects, self._crops, self._data = subjects, crops, data

    def arguments(self) -> list[str]:
        """What the runs were given by, as Python."""
        subjects = list(self._subjects.values())
        written = [study_argument(each) if isinstance(each, Study) else run_argument(each) for each in subjects]
        crops = [] if self._crops == CROPS else [f"crops={self._crops}"]
        given = next((run.study.encoding.data for run in self.known().values()), self._data)
        return [*written, *crops, *([] if self._data is None else [f"data={given!r}"])]

    def codebook_size(self, name: str) -> int:
        """K of a run, whether it is counted or not."""
        subject = self._subjects[name]
        return subject.quantizer.codebook_size if isinstance(subject, Study) else subject.config.quantizer.size


def frame_of(runs: Mapping[str, CountedRun], part: str) -> pd.DataFrame:
    """A frame of several runs by its name in `CountedRun`, below each other."""
    return analysis.comparison.of_several_runs({name: getattr(run, part) for name, run in runs.items()})
