"""The training monitor: a run watched and steered in a notebook."""

from __future__ import annotations

import os
from contextlib import suppress

import pandas as pd
from matplotlib.figure import Figure

from lgq_explore.files import given_path
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.run import Run
from lgq_explore.runs.run_description import RunReplaced
from lgq_explore.training.controls import Controls

from ..panel import Panel
from ..parts.follower import Follower
from .trainer import LatestStep, Trainer
from .view import TrainingView


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
        self._shown: LatestStep | None = None
        self._history = pd.DataFrame({"step": []})
        self._follower = Follower[Run](
            self, "monitor", in_a_script="lgq.train", show=self._show, report=self._view.show_error
        )
        super().__init__([self._view])
        self._view.on_start(lambda: self._follower.clicked(self.start))
        self._view.on_stop(self._stop)
        self._view.on_resume(lambda: self._follower.clicked(self.resume))
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
        """Begin to train in the background. Raises InputError where this panel, or another one, trains already."""
        self._follower.begin(self._trainer, self._trainer.start)

    def resume(self) -> None:
        """Continue the stopped run in the background, at the temperature held by hand, if one is."""
        self._follower.begin(self._trainer, self._trainer.resume)

    async def finished(self) -> Run:
        """Wait for the end of training, and return the run or raise what training raised."""
        return await self._follower.finished()

    def figures(self) -> list[Figure]:
        latest = self._trainer.newest()
        if latest is None or self.run is None:
            return []
        return self._view.publish(self._newest_history(self.run), latest)

    def _show(self) -> None:
        latest = self._trainer.newest()
        if latest is not None and latest is not self._shown and self.run is not None:
            self._view.draw(self._newest_history(self.run), latest)
            self._shown = latest
        self._view.show_state(self._trainer, latest)

    def _newest_history(self, run: Run) -> pd.DataFrame:
        """What was read last where the run's folder is gone: the trainer says that itself."""
        with suppress(RunReplaced):
            self._history = run.history()
        return self._history

    def _stop(self) -> None:
        self.controls.stop()
        self._view.show_stopping()
