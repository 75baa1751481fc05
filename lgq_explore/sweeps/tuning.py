"""The choice among trials: the settings that were best on validation photographs, and the record of all of them."""

from __future__ import annotations

from functools import reduce
from typing import Any

from lgq_explore.errors import InputError

from .cells import TRIAL, Cell, key_of
from .description import HIGHEST, Settings, Sweep
from .folder import SweepFolder

UNTUNED: Settings = {}
"""The settings of a method that is not tuned, beyond those that the file gives."""


class TrialsMissing(Exception):
    """Trials on which a final cell depends are not there yet. cells: those that are missing."""

    def __init__(self, cells: list[Cell]) -> None:
        super().__init__(", ".join(str(cell.number) for cell in cells))
        self.cells = cells


def trial_cells(cells: list[Cell], cell: Cell, sweep: Sweep) -> list[Cell]:
    """The trials that decide the settings of a final cell; none for a method that is not tuned."""
    if sweep.tuning is None or not cell.method.trials:
        return []
    size = sweep.tuning.size_for(cell.method, cell.codebook_size)
    return [each for each in cells if (each.kind, each.method, each.codebook_size) == (TRIAL, cell.method, size)]


def chosen_trial(cells: list[Cell], cell: Cell, sweep: Sweep, folder: SweepFolder) -> dict[str, Any] | None:
    """The trials of a final cell and the number of the best one, as its summary records them; None if it is not tuned.

    Of equal ones the first is taken. Raises TrialsMissing, and InputError if all of them diverged.
    """
    tried = trial_cells(cells, cell, sweep)
    if not tried:
        return None
    assert sweep.tuning is not None
    summaries = [folder.summary(key_of(each, recipe_of(each, sweep, UNTUNED))) for each in tried]
    if missing := [each for each, summary in zip(tried, summaries, strict=True) if summary is None]:
        raise TrialsMissing(missing)
    trials = [
        {
            "settings": dict(each.method.trials[each.trial or 0]),
            "value": _value(summary, sweep.tuning.metric),
            "portable_hash": summary["portable_hash"],
        }
        for each, summary in zip(tried, summaries, strict=True)
        if summary is not None
    ]
    sign = 1 if sweep.tuning.best == HIGHEST else -1
    values = [(sign * trial["value"], -number) for number, trial in enumerate(trials) if trial["value"] is not None]
    if not values:
        raise InputError(
            f"no trial of {cell.method.name} with {tried[0].codebook_size} codes has a {sweep.tuning.metric}: "
            "give it other settings to try"
        )
    return {
        "metric": sweep.tuning.metric,
        "best": sweep.tuning.best,
        "seed": sweep.tuning.seed,
        "codebook_size": tried[0].codebook_size,
        "trials": trials,
        "chosen": -max(values)[1],
    }


def recipe_of(cell: Cell, sweep: Sweep, tuned: Settings) -> Any:
    """The recipe of a cell. tuned: the settings that were chosen for a final one."""
    trial = tuned if cell.trial is None else cell.method.trials[cell.trial]
    return sweep.recipe(
        cell.method, cell.codebook_size, trial, seed=cell.seed, rounding_replicate=cell.rounding_replicate
    )


def _value(summary: dict[str, Any], metric: str) -> float | None:
    """The value of a key, which may have dots for nested ones; None where a trial diverged or the metric is null."""
    value = reduce(
        lambda inner, name: inner.get(name) if isinstance(inner, dict) else None, metric.split("."), summary["numbers"]
    )
    return None if isinstance(value, dict) else value
