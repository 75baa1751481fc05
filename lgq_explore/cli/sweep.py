"""`lgq-explore sweep`: methods, codebook sizes and seeds from one file."""

from __future__ import annotations

import argparse
import json
import os
import signal
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..errors import InputError, printable
from ..progress import tell
from .options import add_device, add_json, some_path
from .streams import say

if TYPE_CHECKING:
    from ..sweeps import Plan, Workers

SOME_FAILED = 1
"""The exit status of a sweep some of whose cells failed."""


def add_sweep(commands: Any) -> None:
    parser = commands.add_parser("sweep", help="train and evaluate methods, codebook sizes and seeds of one file")
    parser.add_argument("file", type=some_path, metavar="FILE.toml", help="see benchmarks/sweeps")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes at a time (default: 1)")
    parser.add_argument(
        "--threads", type=int, metavar="N", help="threads of each process (default: its share of the cores)"
    )
    parser.add_argument(
        "--out", type=some_path, metavar="DIR", help="folder of the sweep (default: data/sweeps/NAME of the file)"
    )
    parser.add_argument("--data", metavar="SPEC", help="the pictures, where they lie elsewhere than the file says")
    parser.add_argument("--dry-run", action="store_true", help="check everything, print the plan, and train nothing")
    parser.add_argument("--status", action="store_true", help="print what is done, and train nothing")
    parser.add_argument("--cell", type=int, metavar="N", help="one cell by its number, such as $SLURM_ARRAY_TASK_ID")
    parser.add_argument("--submit", action="store_true", help="submit each cell to a cluster's scheduler (submitit)")
    parser.add_argument("--stop-with-stdin", action="store_true", help=argparse.SUPPRESS)
    add_device(parser)
    add_json(parser)
    parser.set_defaults(command=_sweep)


def _sweep(options: argparse.Namespace) -> int:
    from ..sweeps import Plan, Workers

    asked = [name for name in ("dry_run", "status", "submit") if getattr(options, name)]
    asked += ["cell"] if options.cell is not None else []
    if len(asked) > 1:
        raise InputError(f"{' and '.join('--' + name.replace('_', '-') for name in asked)}: give one of them")
    plan = Plan.read(options.file, options.out, options.data)
    if options.status:
        return _status(plan, options.json)
    if options.cell is not None:
        return _one_cell(plan, options)
    workers = Workers.sharing(options.jobs, options.threads, options.device, options.data)
    _check(plan, workers, options)
    if options.dry_run:
        return 0
    plan.folder.make(plan.content)
    return _submitted(plan, workers) if options.submit else _run(plan, workers, options.json)


def _check(plan: Plan, workers: Workers, options: argparse.Namespace) -> None:
    """Check the whole sweep, and print its plan."""
    from ..sweeps.forecast import forecast

    plan.check(options.device)
    if not options.dry_run:
        plan.folder.make(plan.content)
    told = forecast(plan, workers, keep=not options.dry_run)
    say(told) if options.dry_run else tell(told)


def _run(plan: Plan, workers: Workers, as_json: bool) -> int:
    from ..sweeps import run_sweep

    try:
        outcome = run_sweep(plan, workers)
    except KeyboardInterrupt:
        tell("stopped: the cells that were being trained are saved, and the same command goes on with them")
        raise
    failed = [plan.cells[number] for number in sorted(outcome.failed)]
    for cell in failed:
        tell(f"failed: cell {cell.number} ({cell}): {printable(outcome.failed[cell.number].splitlines()[-1])}")
    folder = printable(plan.folder.path)
    tell(f"{len(outcome.done_before) + len(outcome.done)} of {len(plan.cells)} cells are done in {folder}")
    if failed:
        tell(f"the same command tries the others again; logs are in {folder}/logs")
    _report(plan, as_json)
    return SOME_FAILED if failed else 0


def _status(plan: Plan, as_json: bool) -> int:
    _report(plan, as_json)
    return 0


def _report(plan: Plan, as_json: bool) -> None:
    """Print one line per cell, or one JSON object."""
    from ..sweeps.frame import rows

    cells = rows(plan)
    if as_json:
        say(json.dumps({"folder": str(plan.folder.path), "cells": cells}))
        return
    for row, cell in zip(cells, plan.cells, strict=True):
        psnr = row.get("psnr_db")
        say(f"{cell.number:4d}  {row['state']:8}{'' if psnr is None else f'{psnr:6.2f} dB  '}{cell}")


def _one_cell(plan: Plan, options: argparse.Namespace) -> int:
    from ..sweeps.folder import CellTaken
    from ..sweeps.processes import TAKEN
    from ..sweeps.tuning import TrialsMissing
    from ..sweeps.work import work_on

    if options.stop_with_stdin:
        threading.Thread(target=_interrupt_when_stdin_closes, daemon=True).start()
    cell = plan.cell(options.cell)
    plan.folder.make(plan.content)
    try:
        summary = work_on(plan, cell, options.device)
    except CellTaken:
        tell(f"cell {cell.number} ({cell}) is being worked on by another process: wait for it, or stop it")
        return TAKEN
    except TrialsMissing as missing:
        tell(f"cell {cell.number} ({cell}) needs trials that are not done: work on cells {missing} first")
        return TAKEN
    if options.json:
        say(json.dumps(summary))
    return 0


def _interrupt_when_stdin_closes() -> None:
    """Stop this process as SIGTERM does when whoever started it has ended, so that nothing trains unseen."""
    with suppress(OSError):
        while os.read(0, 1):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


def _submitted(plan: Plan, workers: Workers) -> int:
    from ..sweeps.cluster import submit, submittable

    cells = submittable(plan)
    jobs = submit(plan, cells, workers) if cells else []
    for cell, job in zip(cells, jobs, strict=True):
        tell(f"job {job.job_id}: cell {cell.number} ({cell})")
    left = sum(not plan.is_done(cell) for cell in plan.cells) - len(cells)
    tell(f"{len(jobs)} cells are submitted" + (f"; {left} wait for trials or are worked on" if left else ""))
    if left:
        tell("when these are done, the same command submits the others")
    return 0
