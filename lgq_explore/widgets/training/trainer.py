"""A run that trains in a thread while the notebook stays alive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lgq_explore import analysis
from lgq_explore.analysis.pictures import Reconstructions
from lgq_explore.errors import InputError
from lgq_explore.images.opening import open_source
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.run import Run, open_run
from lgq_explore.runs.run_paths import default_run_path, new_run_path
from lgq_explore.training.controls import Controls
from lgq_explore.training.loop import LogEvent, resume, train

from ..parts.trainer_thread import State, TrainerThread


@dataclass(frozen=True)
class LatestStep:
    """What the newest logged step of a run told.

    usage: of codes in the window, by `analysis.usage.of_groups`. codes_per_token: how many of these a token has.
    """

    run: Run
    row: dict[str, float | None]
    usage: pd.DataFrame
    codes_per_token: int
    reconstructions: Reconstructions


class Trainer(TrainerThread[LatestStep, Run]):
    """One run and the thread that trains it, in several sittings where it is stopped and resumed.

    path: the run folder to make; a free one under data/runs where it is None. pictures: held-out crops to reconstruct
    at every logged step.
    """

    def __init__(self, config: TrainConfig, path: Path | None, device: str, controls: Controls, pictures: int) -> None:
        super().__init__(controls)
        self.config = config
        self._wanted_path = path
        self._path: Path | None = None  # of the folder that this trainer has made
        self._device = device
        self._pictures = pictures
        self._crops: NDArray[np.uint8] | None = None

    @property
    def run(self) -> Run | None:
        """The run, from its first logged step on."""
        latest = self.newest()
        return latest.run if self.result is None and latest is not None else self.result

    @property
    def can_start(self) -> bool:
        """Whether `start` would do something: there is no run yet, or none that came to its first step."""
        return self.state is not State.TRAINING and self.run is None

    @property
    def can_resume(self) -> bool:
        return self.state in (State.STOPPED, State.FAILED) and self.run is not None

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

    def is_whole(self, result: Run) -> bool:
        return result.is_finished

    def _train(self) -> Run:
        source = open_source(self.config.data, self.config.image_size)
        self._crops = source.held_out(self._pictures).images.numpy()
        path = new_run_path(self._wanted_path or default_run_path(self.config))
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

    def _resume(self) -> Run:
        assert self._path is not None
        on_log = self._take_from(self._path)
        return resume(self._path, device=self._device, on_log=on_log, controls=self.controls, progress=False)

    def _take_from(self, path: Path) -> Callable[[LogEvent], None]:
        """What is to be called after every logged step of the run in this folder."""

        def take(event: LogEvent) -> None:
            assert self._crops is not None
            reconstructions = analysis.pictures.reconstruct(event.tokenizer, self._crops)
            self.publish(
                LatestStep(
                    run=self.run or open_run(path),
                    row=event.row,
                    usage=analysis.usage.of_groups(event.counts),
                    codes_per_token=analysis.usage.codes_per_token(event.counts),
                    reconstructions=reconstructions,
                )
            )

        return take
