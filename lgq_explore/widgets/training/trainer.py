"""A run that trains in a thread while the notebook stays alive."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lgq_explore import analysis
from lgq_explore.analysis.pictures import Reconstructions
from lgq_explore.errors import InputError
from lgq_explore.images.opening import open_source
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.run import Run, default_run_path, new_run_path, open_run
from lgq_explore.training.controls import Controls
from lgq_explore.training.loop import LogEvent, resume, train

one_at_a_time = threading.Lock()
"""Held while a trainer's thread runs: two would halve each other's speed, and a reader seldom means to start both."""

EXIT_SECONDS = 30.0
"""What a process that ends waits for a trainer to finish its step and save. Jupyter ends a kernel sooner by force."""


class State(StrEnum):
    NEW = "not started"
    TRAINING = "training"
    STOPPED = "stopped"
    FINISHED = "finished"
    FAILED = "failed"


@dataclass(frozen=True)
class Snapshot:
    """What the newest logged step told. usage: of codes in the window, as `analysis.usage.of_groups` gives it."""

    row: dict[str, float | None]
    usage: pd.DataFrame
    reconstructions: Reconstructions


class Trainer:
    """One run and the thread that trains it. It touches no widget: who draws asks for the newest snapshot.

    path: the run folder to make; a free one under data/runs where it is None. pictures: held-out crops to reconstruct
    at every logged step.
    """

    def __init__(self, config: TrainConfig, path: Path | None, device: str, controls: Controls, pictures: int) -> None:
        self.config = config
        self.controls = controls
        self._wanted_path = path
        self._path: Path | None = None  # of the folder that this trainer has made
        self._device = device
        self._pictures = pictures
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._snapshot: Snapshot | None = None
        self._run: Run | None = None
        self._error: BaseException | None = None
        self._crops: NDArray[np.uint8] | None = None

    @property
    def state(self) -> State:
        with self._lock:
            if self._thread is None:
                return State.NEW
            if self._thread.is_alive():
                return State.TRAINING
            if self._error is not None:
                return State.FAILED
        return State.FINISHED if self._run is not None and self._run.is_finished else State.STOPPED

    @property
    def run(self) -> Run | None:
        """The run, from its first logged step on."""
        with self._lock:
            return self._run

    @property
    def can_start(self) -> bool:
        """Whether `start` would do something: there is no run yet, or none that came to its first step."""
        return self.state is not State.TRAINING and self.run is None

    @property
    def can_resume(self) -> bool:
        return self.state in (State.STOPPED, State.FAILED) and self.run is not None

    @property
    def is_stopping(self) -> bool:
        """Whether the thread was asked to stop, and has not ended yet."""
        return self.state is State.TRAINING and self.controls.stop_asked_for

    @property
    def error(self) -> BaseException | None:
        """What ended the training early, or None."""
        with self._lock:
            return self._error

    def newest(self) -> Snapshot | None:
        """What the last logged step told; None before the first one."""
        with self._lock:
            return self._snapshot

    def start(self) -> None:
        """Train a new run, in the folder of one that failed before its first step if there is one.

        Raises InputError where this trainer has a run already, or another trainer is at work.
        """
        if self.state is State.TRAINING:
            raise InputError("this monitor is training already: await monitor.finished(), or press Stop")
        if self.run is not None:
            raise InputError(
                f"this monitor has its run, {self.run.name}.\n"
                "Resume it if it was stopped, or make another TrainingMonitor for another run."
            )
        self._begin(self._train if self._path is None else self._resume)

    def resume(self) -> None:
        """Continue the stopped run, at the temperature that is held by hand now. Raises InputError as `start`."""
        if not self.can_resume:
            raise InputError(f"this monitor's run can't be resumed, it is {self.state}: resume a stopped one")
        self._begin(self._resume)

    def join(self) -> None:
        """Wait in this thread until the trainer's has ended."""
        if self._thread is not None:
            self._thread.join()

    def _begin(self, sitting: Callable[[], Run]) -> None:
        if not one_at_a_time.acquire(blocking=False):
            raise InputError("another monitor is training in this kernel: wait for it, or press its Stop")
        self.controls.clear_stop()
        with self._lock:
            self._error = None
            self._thread = threading.Thread(target=self._work, args=(sitting,), name="lgq trainer", daemon=True)
        # The thread is a daemon, which ends with the process: what it has trained is saved before.
        atexit.register(self._stop_and_wait)
        self._thread.start()

    def _stop_and_wait(self) -> None:
        self.controls.stop()
        if self._thread is not None:
            self._thread.join(EXIT_SECONDS)

    def _work(self, sitting: Callable[[], Run]) -> None:
        try:
            run = sitting()
            with self._lock:
                self._run = run
        except BaseException as error:  # the thread's end: whoever awaits raises it again
            with self._lock:
                self._error = error
        finally:
            atexit.unregister(self._stop_and_wait)
            one_at_a_time.release()

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
            run = self.run or open_run(path)
            with self._lock:
                self._run = run
                self._snapshot = Snapshot(event.row, analysis.usage.of_groups(event.counts), reconstructions)

        return take
