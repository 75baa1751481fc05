"""Batches of a source, made by a thread of their own a few steps before they are wanted."""

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
"""Batches that may wait: one while another is made."""

LONGEST_WAIT_SECONDS = 0.2
"""An exception that another thread raises in the one that waits comes at the latest after it."""


@dataclass(frozen=True)
class Batch:
    """images: uint8 [B, 3, S, S], of `step`. state: the source's after it."""

    step: int
    images: Tensor
    state: dict[str, Any]


class BatchesAhead:
    """The batches of `steps`, in their order: `take` each within a `with` block, at whose end the thread has ended.

    What the source raises is raised by `take`, in the thread that calls it.
    """

    def __init__(self, source: Source, steps: range, rows: Sequence[int], ahead: int = AHEAD) -> None:
        self._source, self._steps, self._rows = source, steps, rows
        self._made: queue.SimpleQueue[Batch | BaseException] = queue.SimpleQueue()
        self._room = threading.Semaphore(ahead)
        self._ended = False
        # No pool: a pool takes no more work once the main thread has ended, while a notebook's trainer still saves.
        self._thread = threading.Thread(target=self._make, name="lgq batches", daemon=True)

    def __enter__(self) -> Self:
        try:
            self._thread.start()
        except BaseException:  # an interrupt in the moment of the start: the thread must not wait for ever
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
        """The next batch, once it is made."""
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
                self._made.put(Batch(step, images, self._source.state_dict()))
            except BaseException as error:  # the thread's end: it is raised where the batch is wanted
                self._made.put(error)
                return
        self._made.put(LookupError(f"the batches of {self._steps} have all been taken"))
