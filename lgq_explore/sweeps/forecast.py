"""The plan of a sweep in words: how many cells, and what each will cost."""

from __future__ import annotations

from collections.abc import Mapping

from lgq_explore.bench.markdown import count, number, table
from lgq_explore.errors import printable
from lgq_explore.images.division import HELD_OUT

from .cells import Cell
from .costs import CellCost, measured_costs
from .description import NO_CODES
from .plan import Plan
from .processes import Workers


def forecast(plan: Plan, workers: Workers, *, keep: bool) -> str:
    """What is to be done, and what it will cost by measured steps and evaluations of each method and codebook size.

    keep: whether the folder keeps what was measured. Raises InputError for a method that can't make a step.
    """
    kinds = {kind: _representatives(plan, kind) for kind in dict.fromkeys(map(_kind, plan.cells))}
    costs = measured_costs(plan, kinds, workers, keep)
    steps = {kind: plan.likely_recipe(cells[-1]).steps for kind, cells in kinds.items()}
    seconds = {cell.number: costs[_kind(cell)].cell(cell.kind, steps[_kind(cell)]) for cell in plan.cells}
    left = [cell for cell in plan.cells if not plan.is_done(cell)]
    rest = sum(seconds[cell.number] for cell in left)
    training = sum(costs[_kind(cell)].training(steps[_kind(cell)]) for cell in left)
    evaluation = sum(costs[_kind(cell)].evaluation[cell.kind] for cell in left)
    by_job = max(rest / workers.jobs, max((seconds[cell.number] for cell in left), default=0.0))
    return "\n".join(
        [
            *_remarks(plan),
            f"{printable(plan.file)}: {_counted(plan.cells)}, {len(plan.cells) - len(left)} of them done, in "
            f"{printable(plan.folder.path)}",
            _table(kinds, plan, costs, steps, seconds),
            f"{count(len(left), 'cell')} to train: {duration(rest)}, of which training takes {duration(training)}, "
            f"evaluation {duration(evaluation)} and starting of processes {duration(rest - training - evaluation)}; "
            f"with {count(workers.jobs, 'job')} of {count(workers.threads, 'thread')} each, some {duration(by_job)}.",
        ]
    )


def _remarks(plan: Plan) -> list[str]:
    """What a plan has that its file may not mean."""
    split, evaluated = plan.likely_recipe(plan.cells[0]).split, plan.sweep.evaluation.split
    if split.held_out or evaluated != HELD_OUT:
        return []
    return ["split.held_out is 0: final cells are evaluated on the source's own held-out pictures."]


def _kind(cell: Cell) -> str:
    return f"{cell.method.name}{'' if cell.codebook_size == NO_CODES else f' with {cell.codebook_size} codes'}"


def _representatives(plan: Plan, kind: str) -> list[Cell]:
    """A trial and a final cell of a kind, or one of them."""
    return list({cell.kind: cell for cell in plan.cells if _kind(cell) == kind}.values())


def _counted(cells: list[Cell]) -> str:
    trials = sum(cell.trial is not None for cell in cells)
    return count(len(cells), "cell") + (f" ({count(trials, 'trial')})" if trials else "")


def _table(
    kinds: Mapping[str, list[Cell]],
    plan: Plan,
    costs: Mapping[str, CellCost],
    steps: Mapping[str, int],
    seconds: Mapping[int, float],
) -> str:
    rows = []
    for kind, cells in kinds.items():
        of_kind = [cell for cell in plan.cells if _kind(cell) == kind]
        cost, last = costs[kind], cells[-1]
        rows.append(
            [
                last.method.name,
                str(last.codebook_size or "–"),
                str(len(of_kind)),
                number(1000 * cost.step),
                duration(cost.startup),
                duration(cost.training(steps[kind])),
                duration(cost.evaluation[last.kind]),
                duration(seconds[last.number]),
                duration(sum(seconds[cell.number] for cell in of_kind)),
                number(cost.megabytes),
            ]
        )
    head = ["method", "codes K", "cells", "step, ms", "start", "training", "evaluation", "a cell", "together"]
    return table([*head, "memory, MB"], rows, left=1)


def duration(seconds: float) -> str:
    """Seconds in the unit that a person would say: 40 s, 12 min, 3.5 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
