"""The training monitor: a run watched and steered in a notebook."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress

import pandas as pd
from matplotlib.figure import Figure

from lgq_explore.errors import InputError
from lgq_explore.files import given_path
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.run import Run
from lgq_explore.runs.run_description import RunReplaced
from lgq_explore.training.controls import Controls

from ..panel import Panel
from ..parts.kernel_loop import running_loop
from .trainer import Snapshot, State, Trainer
from .view import TrainingView

POLL_SECONDS = 0.25
DRAWING_SHARE = 0.25
"""Largest share of time spent drawing, which holds the GIL."""


class TrainingMonitor(Panel):
    """A panel that trains a recipe in a thread and shows it live: display it, then ``run = await monitor.train()``.

    The cell waits until training ends or is stopped, and the slider and the buttons work meanwhile. `start()` is the
    form that lets the cell end; `await finished()` joins it. Interrupting the kernel stops training after its step.

    config: the recipe. run: the folder to make; a free one under data/runs where it is None. device: auto, cpu or cuda.
    pictures: how many held-out crops are reconstructed. controls: what steers; `ReplayedControls` repeat a run.
    """

    def __init__(
        self,
        config: TrainConfig,
        run: str | os.PathLike[str] | None = None,
        device: str = "auto",
        pictures: int = 6,
        controls: Controls | None = None,
    ) -> None:
        self.config = config
        self.controls = controls or Controls()
        path = None if run is None else given_path(run).expanduser()
        self._trainer = Trainer(config, path, device, self.controls, pictures)
        self._view = TrainingView(config, self.controls)
        self._shown: Snapshot | None = None
        self._history = pd.DataFrame({"step": []})
        self._following: asyncio.Task[None] | None = None
        super().__init__([self._view])
        self._view.on_start(lambda: self._on_kernel_loop(self.start))
        self._view.on_stop(self._stop)
        self._view.on_resume(lambda: self._on_kernel_loop(self.resume))
        self._kernel_loop = running_loop()
        self._show()

    def __repr__(self) -> str:
        quantizer = self.config.quantizer
        return f"TrainingMonitor({quantizer.method}, {quantizer.size} codes, {self.config.steps} steps)"

    @property
    def run(self) -> Run | None:
        """The run, from its first logged step on."""
        return self._trainer.run

    async def train(self) -> Run:
        """Train, and return the run: finished, or stopped and ready to be resumed. Raises what training raised."""
        self.start()
        return await self.finished()

    def start(self) -> None:
        """Begin to train in the background. Raises InputError where this monitor, or another one, trains already."""
        self._follow_from(self._trainer.start)

    def resume(self) -> None:
        """Continue the stopped run in the background, at the temperature held by hand, if one is."""
        self._follow_from(self._trainer.resume)

    async def finished(self) -> Run:
        """Wait for the end of training, and return the run or raise what training raised."""
        if self._following is None:
            raise InputError("nothing is training here: call monitor.start() first, or await monitor.train()")
        try:
            await asyncio.shield(self._following)
        except asyncio.CancelledError:  # the kernel was interrupted
            self.controls.stop()
            await asyncio.shield(self._following)
            raise
        if self._trainer.error is not None:
            raise self._trainer.error
        assert self.run is not None
        return self.run

    def figures(self) -> list[Figure]:
        snapshot = self._trainer.newest()
        if snapshot is None or self.run is None:
            return []
        return self._view.publish(self._newest_history(self.run), snapshot)

    def _follow_from(self, begin: Callable[[], None]) -> None:
        loop = running_loop()
        if loop is None:
            raise InputError("a monitor works where an event loop runs, as in a notebook; in a script use lgq.train")
        begin()
        self._kernel_loop = loop
        self._following = loop.create_task(self._follow())

    async def _follow(self) -> None:
        """Draw what is new until the trainer's thread ends, and once more then."""
        try:
            while self._trainer.state is State.TRAINING:
                started = time.perf_counter()
                self._show()
                drawing = time.perf_counter() - started
                await asyncio.sleep(max(POLL_SECONDS, drawing * (1 / DRAWING_SHARE - 1)))
        except BaseException:
            self.controls.stop()  # nobody watches any more
            raise
        self._show()
        self.renew_pictures()

    def _show(self) -> None:
        snapshot = self._trainer.newest()
        if snapshot is not None and snapshot is not self._shown and self.run is not None:
            self._view.draw(self._newest_history(self.run), snapshot)
            self._shown = snapshot
        self._view.show_state(self._trainer, snapshot)

    def _newest_history(self, run: Run) -> pd.DataFrame:
        """What was read last where the run's folder is gone: the trainer says that itself."""
        with suppress(RunReplaced):
            self._history = run.history()
        return self._history

    def _stop(self) -> None:
        self.controls.stop()
        self._view.show_stopping()

    def _on_kernel_loop(self, begin: Callable[[], None]) -> None:
        """Begin where the cells run: a click may arrive in another thread. What is wrong is shown in the panel."""
        if self._kernel_loop is not None:
            self._kernel_loop.call_soon_threadsafe(self._begin_and_report, begin)

    def _begin_and_report(self, begin: Callable[[], None]) -> None:
        try:
            begin()
        except InputError as error:
            self._view.show_error(error)
