"""The joules that a run's training took."""

from __future__ import annotations

from lgq_explore.runs.run import Run

from .meter import PARTS


def joules_of(run: Run) -> dict[str, float]:
    """Joules until the last logged step, by their columns of PARTS; those that are not known are left out.

    Raises InputError for a history that can't be read.
    """
    last = run.history().tail(1)
    found = {part: float(last[part].iloc[0]) for part in PARTS if part in last and len(last)}
    return {part: joules for part, joules in found.items() if joules == joules}
