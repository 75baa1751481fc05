"""Work of a panel in other threads, while the kernel's loop stays free."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .kernel_loop import running_loop


class Background:
    """Pieces of work, each done in another thread, one after the other.

    next_piece: the piece to do now, or None where none is left; asked anew after each, so that what a reader wants now
    is done first. done: called in the loop's thread after each piece.
    """

    def __init__(self, next_piece: Callable[[], Callable[[], object] | None], done: Callable[[], None]) -> None:
        self._next_piece, self._done = next_piece, done
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Work until no piece is left, if that is not done already. Nothing happens in a script, which has no loop."""
        loop = running_loop()
        if loop is not None and not self._is_busy and self._next_piece() is not None:
            self._task = loop.create_task(self._work())

    async def finished(self) -> None:
        """Wait until no piece is left."""
        while self._task is not None and not self._task.done():
            await asyncio.shield(self._task)

    @property
    def _is_busy(self) -> bool:
        return self._task is not None and not self._task.done()

    async def _work(self) -> None:
        while (piece := self._next_piece()) is not None:
            await asyncio.to_thread(piece)
            self._done()
