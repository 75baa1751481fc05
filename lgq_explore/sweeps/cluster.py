"""Cells as jobs of a cluster's scheduler, through submitit, which is imported only here."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from lgq_explore.errors import InputError

from .cells import Cell
from .plan import Plan
from .processes import Workers, command
from .tuning import TrialsMissing


def submittable(plan: Plan) -> list[Cell]:
    """The cells that are neither done nor worked on, and whose trials are done."""
    found = []
    for cell in plan.cells:
        try:
            key = plan.decided(cell).key
        except TrialsMissing:
            continue
        if plan.folder.summary(key) is None and not plan.folder.is_claimed(key):
            found.append(cell)
    return found


def submit(plan: Plan, cells: list[Cell], workers: Workers) -> list[Any]:
    """Submit a job for each cell, which runs `lgq-explore sweep … --cell N`, and return submitit's jobs.

    The sweep's table [cluster] has the options of submitit's `AutoExecutor.update_parameters`, such as
    `slurm_partition`, `timeout_min` and `cpus_per_task`; `cluster` there names another scheduler than the one that is
    found (`local` for processes of this machine). Raises InputError without submitit, and for an option that it does
    not have.
    """
    if find_spec("submitit") is None:
        raise InputError('--submit needs submitit, which is not installed: pip install "lgq_explore[sweeps]"')
    import submitit

    options = dict(plan.sweep.cluster)
    try:
        executor = submitit.AutoExecutor(folder=plan.folder.path / "jobs", cluster=options.pop("cluster", None))
        executor.update_parameters(**options)
    except (NameError, RuntimeError, TypeError, ValueError) as error:
        why = str(error).strip().splitlines()[0]
        raise InputError(f"[cluster] can't be used: {why}. Give it options of submitit's AutoExecutor.") from error
    with executor.batch():
        return [executor.submit(_function(plan, cell, workers)) for cell in cells]


def _function(plan: Plan, cell: Cell, workers: Workers) -> Any:
    import submitit

    file, out = plan.folder.file.absolute(), plan.folder.path.absolute()
    # The job's Python is that of its own machine's environment, which is this one.
    arguments = command(file, out, cell.number, workers.devices[0], workers.data)
    return submitit.helpers.CommandFunction(arguments, verbose=False)
