"""Training in a thread, so that the notebook stays alive."""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import StrEnum
from typing import Generic, TypeVar

from lgq_explore.errors import InputError
from lgq_explore.training.controls import Controls

from .kernel_end import KernelEnd

Progress = TypeVar("Progress")
Result = TypeVar("Result")

_one_at_a_time = threading.Lock()
"""Held while a trainer's thread runs: two would halve each other's speed, and a reader seldom means to start both."""

EXIT_SECONDS = 30.0
"""What a process that ends waits for a trainer to finish its step and save.

Jupyter ends a kernel sooner by force: 2.5 seconds after it was asked to end, or half of what the option
``--KernelManager.shutdown_wait_time`` says, which `make lab` sets.
"""


class State(StrEnum):
    NEW = "not started"
    TRAINING = "training"
    STOPPED = "stopped"
    FINISHED = "finished"
    FAILED = "failed"


class TrainerThread(Generic[Progress, Result]):
    """A thread that trains until its work is done or `stop` is called. Only one trains at a time in a process.

    It touches no widget: the thread publishes how far it is, and who draws asks for the newest. It is asked to stop
    when the kernel is shut down or restarted, or the process ends, which waits until the step is finished and saved. A
    process that is ended by SIGTERM or SIGKILL alone saves nothing. After its end, the thread can be given more work.

    controls: what steers the training; the work must heed them.
    """

    def __init__(self, controls: Controls | None = None) -> None:
        self.controls = controls or Controls()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._state = State.NEW
        self._newest: Progress | None = None
        self._result: Result | None = None
        self._error: BaseException | None = None
        self._kernel_end = KernelEnd(self.stop, self._stop_and_wait)

    def is_whole(self, result: Result) -> bool:
        """Whether training came to its end; otherwise it was stopped."""
        raise NotImplementedError("abstract: a trainer knows when it is finished")

    @property
    def state(self) -> State:
        with self._lock:
            return self._state

    @property
    def is_stopping(self) -> bool:
        """Whether the thread was asked to stop, and has not ended yet."""
        return self.state is State.TRAINING and self.controls.stop_asked_for

    @property
    def result(self) -> Result | None:
        """What the last work returned, finished or stopped; None before."""
        with self._lock:
            return self._result

    @property
    def error(self) -> BaseException | None:
        """What ended the last work early, or None."""
        with self._lock:
            return self._error

    def newest(self) -> Progress | None:
        """What was published last; None before."""
        with self._lock:
            return self._newest

    def publish(self, progress: Progress) -> None:
        """Called by the work: how far it is."""
        with self._lock:
            self._newest = progress

    def begin(self, work: Callable[[], Result]) -> None:
        """Do this work in a new thread. Raises InputError where a thread trains already in this process."""
        if not _one_at_a_time.acquire(blocking=False):
            raise InputError("another panel is training in this kernel: wait for it, or press its Stop")
        self.controls.clear_stop()
        # A daemon ends with the process: what it has trained is saved before.
        thread = threading.Thread(target=self._work, args=(work,), name="lgq trainer", daemon=True)
        with self._lock:
            self._state, self._error, self._thread = State.TRAINING, None, thread
        self._kernel_end.watch()
        thread.start()

    def stop(self) -> None:
        """Ask the thread to end after its step, and to keep what it has trained."""
        self.controls.stop()

    def join(self) -> None:
        """Wait in this thread until the trainer's has ended."""
        if self._thread is not None:
            self._thread.join()

    def _stop_and_wait(self) -> None:
        self.stop()
        if self._thread is not None:
            self._thread.join(EXIT_SECONDS)

    def _work(self, work: Callable[[], Result]) -> None:
        result, failed = self.result, None
        try:
            result = work()
            state = State.FINISHED if self.is_whole(result) else State.STOPPED
        except BaseException as error:  # the thread's end: whoever awaits raises it again
            state, failed = State.FAILED, error
        self._kernel_end.forget()
        with self._lock:
            self._state, self._result, self._error = state, result, failed
            _one_at_a_time.release()  # before anybody reads that state: the next may start at once
