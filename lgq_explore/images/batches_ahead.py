"""Batches of a source, made a few steps ahead by a worker thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from torch import Tensor

from .source import Source

AHEAD = 2
"""The most batches made ahead of the current step."""

LONGEST_WAIT_SECONDS = 0.2
"""The longest wait before an exception set by another thread can be raised in the waiting one."""


@dataclass(frozen=True)
class Batch:
    """The batch of one step. images: uint8 [B, 3, S, S]. state: of the source after this batch."""

    step: int
    images: Tensor
    state: dict[str, Any]


class BatchesAhead:
    """The batches of `steps`, in order, for use in a `with` block; the worker thread has ended when the block ends.

    pin: put the images into page-locked memory, from which a copy to a CUDA device waits for nothing.
    An exception of the source is raised by `take`, in the calling thread.
    """

    def __init__(
        self, source: Source, steps: range, rows: Sequence[int], ahead: int = AHEAD, pin: bool = False
    ) -> None:
        self._source, self._steps, self._rows, self._pin = source, steps, rows, pin
        self._made: queue.SimpleQueue[Batch | BaseException] = queue.SimpleQueue()
        self._room = threading.Semaphore(ahead)
        self._ended = False
        # Not a pool, which takes no work once the main thread has ended, while a notebook's trainer may still save.
        self._thread = threading.Thread(target=self._make, name="lgq batches", daemon=True)

    def __enter__(self) -> Self:
        try:
            self._thread.start()
        except BaseException:  # an interrupt during the start: the thread must not wait forever
            self._ended = True
            self._room.release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        self._room.release()
        self._thread.join()

    def take(self) -> Batch:
        """Wait for the next batch and return it."""
        while True:
            try:
                made = self._made.get(timeout=LONGEST_WAIT_SECONDS)
                break
            except queue.Empty:
                continue
        if isinstance(made, BaseException):
            raise made
        self._room.release()
        return made

    def _make(self) -> None:
        for step in self._steps:
            self._room.acquire()
            if self._ended:
                return
            try:
                images = self._source.batch(step, self._rows)
                images = images.pin_memory() if self._pin else images
                self._made.put(Batch(step, images, self._source.state_dict()))
            except BaseException as error:  # raised by `take`; the thread ends
                self._made.put(error)
                return
        self._made.put(LookupError(f"the batches of {self._steps} have all been taken"))
