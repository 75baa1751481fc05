"""The plan of a sweep in words: how many cells, and what each will cost."""

from __future__ import annotations

from collections.abc import Mapping

from lgq_explore.bench.markdown import count, number, table
from lgq_explore.errors import printable

from .cells import Cell
from .costs import StepCost, measured_costs
from .description import NO_CODES
from .plan import Plan
from .processes import Workers
from .tuning import UNTUNED, recipe_of


def forecast(plan: Plan, workers: Workers, *, keep: bool) -> str:
    """What is to be done, and what it will cost by a measured step of each method and codebook size.

    keep: whether the folder keeps what was measured. Raises InputError for a method that can't make a step.
    """
    kinds = {_kind(cell): cell for cell in plan.cells}
    recipes = {kind: recipe_of(cell, plan.sweep, _first_settings(cell)) for kind, cell in kinds.items()}
    costs = measured_costs(recipes, plan.folder, workers.devices[0], workers.environment(), keep)
    seconds = {cell.number: costs[_kind(cell)].seconds(recipes[_kind(cell)].steps) for cell in plan.cells}
    left = [cell for cell in plan.cells if not plan.is_done(cell)]
    rest = sum(seconds[cell.number] for cell in left)
    by_job = max(rest / workers.jobs, max((seconds[cell.number] for cell in left), default=0.0))
    return "\n".join(
        [
            f"{printable(plan.file)}: {_counted(plan.cells)}, {len(plan.cells) - len(left)} of them done, in "
            f"{printable(plan.folder.path)}",
            _table(kinds, plan, costs, seconds),
            f"{count(len(left), 'cell')} to train: {duration(rest)} of training; with "
            f"{count(workers.jobs, 'job')} of {count(workers.threads, 'thread')} each, some {duration(by_job)}. "
            "Starting each cell (some 10 s) and evaluating it come on top.",
        ]
    )


def _kind(cell: Cell) -> str:
    return f"{cell.method.name}{'' if cell.codebook_size == NO_CODES else f' with {cell.codebook_size} codes'}"


def _first_settings(cell: Cell) -> Mapping[str, object]:
    return cell.method.trials[0] if cell.trial is None and cell.method.trials else UNTUNED


def _counted(cells: list[Cell]) -> str:
    trials = sum(cell.trial is not None for cell in cells)
    return count(len(cells), "cell") + (f" ({count(trials, 'trial')})" if trials else "")


def _table(kinds: Mapping[str, Cell], plan: Plan, costs: Mapping[str, StepCost], seconds: Mapping[int, float]) -> str:
    rows = []
    for kind, first in kinds.items():
        of_kind = [cell for cell in plan.cells if _kind(cell) == kind]
        cost = costs[kind]
        rows.append(
            [
                first.method.name,
                str(first.codebook_size or "–"),
                str(len(of_kind)),
                number(1000 * cost.step),
                duration(seconds[first.number]),
                duration(sum(seconds[cell.number] for cell in of_kind)),
                number(cost.megabytes),
            ]
        )
    return table(["method", "codes K", "cells", "step, ms", "a cell", "together", "memory, MB"], rows, left=1)


def duration(seconds: float) -> str:
    """Seconds in the unit that a person would say: 40 s, 12 min, 3.5 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
