"""Running a sweep: cells one after the other in a number of processes, whatever happens to some of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from lgq_explore.errors import InputError, printable
from lgq_explore.progress import Progress, tell

from .cells import Cell
from .plan import Decided, Plan
from .processes import TAKEN, CellProcess, Workers, command, stop_all
from .tuning import TrialsMissing

SECONDS_BETWEEN_LOOKS = 0.2
"""At processes of this sweep."""

SECONDS_UNTIL_ANOTHER_TRY = 5.0
"""Of a cell that another sweep on the same folder works on."""

SECONDS_UNTIL_TRIALS_ARE_LOOKED_AT = 1.0
"""Again, for a final cell whose trials are not done."""


@dataclass
class Outcome:
    """What became of the cells: numbers of those that were done before and now, and why others failed."""

    done_before: list[int] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)


def run_sweep(plan: Plan, workers: Workers, *, on_failure: Callable[[Cell, str], None] | None = None) -> Outcome:
    """Work on all cells that are not done, in their order, and return when none is left that could be.

    A cell that fails is reported and does not end the others. Cells that another sweep on the same folder works on, on
    any machine, are left to it, and taken over if it ends. KeyboardInterrupt stops all processes, which save, and is
    raised again.
    """
    runner = _Runner(plan, workers, on_failure or _tell_failure)
    try:
        runner.run()
    finally:
        stop_all(runner.running)
    return runner.outcome


def _tell_failure(cell: Cell, why: str) -> None:
    tell(f"cell {cell.number} ({cell}) failed:")
    for line in why.splitlines():
        tell(f"    {printable(line)}")


@dataclass
class _Runner:
    plan: Plan
    workers: Workers
    on_failure: Callable[[Cell, str], None]
    outcome: Outcome = field(default_factory=Outcome)
    running: list[CellProcess] = field(default_factory=list)
    waiting: list[Cell] = field(default_factory=list)
    _not_before: dict[int, float] = field(default_factory=dict)

    def run(self) -> None:
        cells = self.plan.cells
        self.outcome.done_before = [cell.number for cell in cells if self.plan.is_done(cell)]
        self.waiting = [cell for cell in cells if cell.number not in self.outcome.done_before]
        with Progress("sweep", len(cells), "cells", done=len(self.outcome.done_before)) as bar:
            while self.waiting or self.running:
                done = len(self.outcome.done)
                started = self._start()
                bar.found_done(len(self.outcome.done) - done)  # by another sweep, meanwhile
                ended = self._gather(bar)
                if started or ended:
                    bar.note(self._note(), at_once=True)
                else:
                    time.sleep(SECONDS_BETWEEN_LOOKS)

    def _start(self) -> bool:
        """Start processes for the first cells that can be worked on; whether one was started."""
        free = sorted(set(range(self.workers.jobs)) - {process.slot for process in self.running})
        started = False
        for cell in list(self.waiting):
            if not free:
                break
            decided = self._ready(cell)
            if decided is not None:
                self.running.append(self._process(decided, free.pop(0)))
                self.waiting.remove(cell)
                started = True
        return started

    def _ready(self, cell: Cell) -> Decided | None:
        """The cell with its recipe if it can be worked on now; one that never can be has failed."""
        if self._not_before.get(cell.number, 0.0) > time.monotonic():
            return None
        try:
            decided = self.plan.decided(cell)
        except TrialsMissing as missing:
            if lost := [each.number for each in missing.cells if each.number in self.outcome.failed]:
                self._fail(cell, f"it needs trials that failed: cells {', '.join(map(str, lost))}")
            self._later(cell, SECONDS_UNTIL_TRIALS_ARE_LOOKED_AT)
            return None
        except InputError as error:
            self._fail(cell, str(error))
            return None
        if self.plan.folder.summary(decided.key) is not None:  # by another sweep, meanwhile
            self.waiting.remove(cell)
            self.outcome.done.append(cell.number)
            return None
        if self.plan.folder.is_claimed(decided.key):
            self._later(cell, SECONDS_UNTIL_ANOTHER_TRY)
            return None
        return decided

    def _process(self, decided: Decided, slot: int) -> CellProcess:
        plan, workers = self.plan, self.workers
        device = workers.devices[slot % len(workers.devices)]
        arguments = command(plan.folder.file, plan.folder.path, decided.cell.number, device, workers.data)
        log = plan.folder.log(decided.key)
        with plan.folder.writing():
            return CellProcess.start(decided.cell.number, slot, log, arguments, workers.environment())

    def _gather(self, bar: Progress) -> bool:
        """Take in what ended; whether something did."""
        ended = [process for process in self.running if process.status is not None]
        for process in ended:
            self.running.remove(process)
            cell = self.plan.cells[process.number]
            if self.plan.is_done(cell):
                self.outcome.done.append(cell.number)
            elif process.status == TAKEN:
                self.waiting.append(cell)
                self.waiting.sort(key=lambda each: each.number)
                self._later(cell, SECONDS_UNTIL_ANOTHER_TRY)
            else:
                why = process.last_lines()
                self.plan.folder.record_failure(self.plan.decided(cell).key, why)
                self._fail(cell, why)
        bar.move_to(len(self.outcome.done_before) + len(self.outcome.done), len(self.plan.cells))
        return bool(ended)

    def _later(self, cell: Cell, seconds: float) -> None:
        self._not_before[cell.number] = time.monotonic() + seconds

    def _fail(self, cell: Cell, why: str) -> None:
        if cell in self.waiting:
            self.waiting.remove(cell)
        self.outcome.failed[cell.number] = why
        self.on_failure(cell, why)

    def _note(self) -> str:
        now = "; ".join(str(self.plan.cells[process.number]) for process in self.running)
        failed = f"; {len(self.outcome.failed)} failed" if self.outcome.failed else ""
        return f"{now or 'waiting'}{failed}"
