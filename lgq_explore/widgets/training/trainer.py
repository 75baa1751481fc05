"""A run that trains in a thread while the notebook stays alive."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lgq_explore import analysis
from lgq_explore.errors import InputError, printable
from lgq_explore.images.opening import open_source
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.encoding import source_of
from lgq_explore.runs.run import Run, open_run
from lgq_explore.runs.run_paths import default_run_path, new_run_path
from lgq_explore.training.checkpoint_summary import newest_checkpoint_summary
from lgq_explore.training.controls import Controls
from lgq_explore.training.loop import LogEvent, resume, train

from ..parts.work.trainer_thread import State, TrainerThread
from .latest_step import CodesAndPictures, LatestStep


class Trainer(TrainerThread[LatestStep, Run]):
    """One run and the thread that trains it, in several sittings where it is stopped and resumed.

    opened: a run to continue, instead of a new one. path: the folder of a new one; a free one under data/runs where it
    is None. pictures: held-out crops to reconstruct at every logged step. own_controls: whether nobody else decides on
    the temperature, so that an opened run goes on with the one that its checkpoint held.
    """

    def __init__(
        self,
        config: TrainConfig,
        path: Path | None,
        device: str,
        controls: Controls,
        pictures: int,
        opened: Run | None = None,
        own_controls: bool = False,
    ) -> None:
        super().__init__(controls)
        self.config = config
        self._wanted_path = path
        self._run = opened
        self._path = None if opened is None else opened.path  # also of a folder that came to no logged step
        self._device = device
        self._pictures = pictures
        self._crops: NDArray[np.uint8] | None = None
        self._own_controls = own_controls
        self._is_settled = opened is None  # which temperature is held when training goes on
        self._held_before: float | None = None

    @property
    def run(self) -> Run | None:
        """The run: the one that was opened, or the one that is trained, from its first logged step on."""
        return self._run if self.result is None else self.result

    @property
    def can_start(self) -> bool:
        """Whether there is something to begin: there is no run yet, or none that came to its first step."""
        return self.state is not State.TRAINING and self.run is None

    @property
    def can_resume(self) -> bool:
        """Whether there is a run that does not train here, and was not seen to be finished."""
        return self.state not in (State.TRAINING, State.FINISHED) and self.run is not None

    def start(self) -> None:
        """Train a new run, in the folder of one that failed before its first step if there is one.

        Raises InputError where this trainer has a run already, or another panel trains in this process.
        """
        if self.run is not None:
            raise InputError(
                f"this monitor has its run, {self.run.name}.\n"
                "Resume it if it was stopped, or make another TrainingMonitor for another run."
            )
        self.begin(self._train if self._path is None else self._resume)

    def resume(self) -> None:
        """Continue the stopped run, at the temperature that is held by hand now. Raises InputError as `start`."""
        if not self.can_resume:
            raise InputError(f"this monitor's run can't be resumed, it is {self.state}: resume a stopped one")
        self.begin(self._resume)

    def hold_as_before(self, temperature: float | None) -> None:
        """Hold what a checkpoint held, or give it back to the schedule, unless a reader has chosen another one."""
        if self._own_controls and self.controls.temperature == self._held_before:
            self.controls.temperature = temperature
        self._held_before, self._is_settled = temperature, True

    def is_whole(self, result: Run) -> bool:
        return result.is_finished

    def _train(self) -> Run:
        path = self._new_path()
        source = open_source(self.config.data, self.config.image_size, division=self.config.split)
        self._crops = source.held_out(self._pictures).images.numpy()
        try:
            return train(
                self.config,
                path,
                device=self._device,
                on_log=self._take_from(path),
                controls=self.controls,
                progress=False,
            )
        finally:
            if (path / "config.json").exists():
                self._path = path

    def _new_path(self) -> Path:
        wanted = self._wanted_path
        if wanted is not None and (wanted / "config.json").is_file():
            raise InputError(
                f"{printable(wanted)} exists already, and holds a run.\n"
                "Open it with TrainingMonitor(run=…), without a recipe, or give another folder."
            )
        return new_run_path(wanted or default_run_path(self.config))

    def _resume(self) -> Run:
        assert self._path is not None
        run = open_run(self._path)
        if self._crops is None:
            self._crops = source_of(run).held_out(self._pictures).images.numpy()
        if not self._is_settled:
            checkpoint = newest_checkpoint_summary(run)
            self.hold_as_before(None if checkpoint is None else checkpoint.held_temperature)
        on_log = self._take_from(self._path)
        return resume(self._path, device=self._device, on_log=on_log, controls=self.controls, progress=False)

    def _take_from(self, path: Path) -> Callable[[LogEvent], None]:
        """What is to be called after every logged step of the run in this folder."""

        def take(event: LogEvent) -> None:
            if self._run is None:
                self._run = open_run(path)
            assert self._crops is not None
            shown = CodesAndPictures(
                usage=None if event.counts is None else analysis.usage.of_groups(event.counts),
                codes_per_token=1 if event.counts is None else analysis.usage.codes_per_token(event.counts),
                reconstructions=analysis.pictures.reconstruct(event.tokenizer, self._crops),
            )
            self.publish(LatestStep(event.row, shown))

        return take
