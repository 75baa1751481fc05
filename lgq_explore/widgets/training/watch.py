"""Looking at the folder of a run again and again while a notebook is open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..parts.work.background import Background
from ..parts.work.kernel_loop import running_loop
from .reader import RunReader

LOOK_SECONDS = 1.0


class RunWatch:
    """Reads a run's folder in other threads, and has a panel show what is new, until the panel is closed.

    is_paused: whether the panel itself trains the run now, whose results it knows. is_over: whether nobody sees the
    panel any more. show: called in the loop's thread where anything is new; read: there too, after each checkpoint.
    """

    def __init__(
        self,
        reader: RunReader,
        is_paused: Callable[[], bool],
        is_over: Callable[[], bool],
        show: Callable[[], None],
        read: Callable[[], None],
    ) -> None:
        self.reader = reader
        self._is_paused, self._is_over, self._show, self._read = is_paused, is_over, show, read
        self._checkpoints = Background(self._next_checkpoint, read, self._checkpoint_failed)
        self._watching: asyncio.Task[None] | None = None

    def begin(self, is_known: bool = False) -> None:
        """Show what was logged so far, and begin to watch, if it is not done already.

        is_known: whether the panel knows what the folder holds, since it has trained that itself.
        In a script, which has no loop, the newest checkpoint is read here and now, and nothing is watched.
        """
        loop = running_loop()
        if loop is not None and self._watching is not None and not self._watching.done():
            return
        if not self._is_paused():
            self.reader.look(is_known)
            self._show()
        if loop is not None:
            self._watching = loop.create_task(self._watch())
        elif self.reader.is_behind:
            self.reader.read_checkpoint()
            self._read()

    def stop_reading(self) -> None:
        """Read no more of the newest checkpoint, and show what there is."""
        self.reader.give_up()
        self._show()

    async def _watch(self) -> None:
        was_paused = False
        while not self._is_over():
            if self._is_paused():
                was_paused = True
            else:
                is_known, was_paused = was_paused, False  # what this panel trained itself
                if await asyncio.to_thread(self.reader.look, is_known) and not self._is_paused():
                    self._show()
                self._checkpoints.begin()
            await asyncio.sleep(LOOK_SECONDS)

    def _next_checkpoint(self) -> Callable[[], None] | None:
        return self.reader.read_checkpoint if self.reader.is_behind and not self._is_paused() else None

    def _checkpoint_failed(self, error: Exception) -> None:
        self.reader.missing = f"The newest checkpoint can't be shown: {type(error).__name__}: {error}"
        self._show()
