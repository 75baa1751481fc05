"""When a panel's picture in the notebook is drawn again while the panel changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import perf_counter
from typing import Generic, TypeVar

from ..work.kernel_loop import KernelLoop

QUIET_SECONDS = 3.0
"""A picture is drawn when this time has passed since the last change."""
LONGEST_SECONDS = 20.0
"""While changes go on, a picture is drawn this often. With the drawing itself it is never half a minute old."""

Drawn = TypeVar("Drawn")


class Renewal(Generic[Drawn]):
    """Draws something again after it has changed, and leaves the kernel's loop free meanwhile.

    prepare: reads what is to be drawn, in the loop, and returns what draws it, which is called in another thread. put:
    takes what was drawn, in the loop. What fails is logged, and what was put before stays.
    """

    def __init__(self, prepare: Callable[[], Callable[[], Drawn]], put: Callable[[Drawn], None]) -> None:
        self._prepare, self._put = prepare, put
        self._loop = KernelLoop()
        self._first_change: float | None = None  # since the last drawing
        self._last_change = self._drawn_at = float("-inf")
        self._waiting: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()

    def changed(self) -> None:
        """Draw again some time soon. Any thread may call this; nothing happens in a script, which has no loop."""
        if self._loop.is_running:
            self._loop.soon(self._note_change)

    def drawn(self) -> None:
        """Another one has just drawn what there is."""
        self._first_change, self._drawn_at = None, perf_counter()

    async def now(self) -> None:
        """Draw at once, and return when that is put."""
        async with self._one_at_a_time:  # an older one that is put later would replace a newer one
            self.drawn()
            try:
                self._put(await asyncio.to_thread(self._prepare()))
            except Exception:
                logging.getLogger(__name__).info("a picture can't be drawn: the one before stays", exc_info=True)

    def _note_change(self) -> None:
        self._last_change = perf_counter()
        if self._first_change is None:
            self._first_change = self._last_change
        if self._waiting is None or self._waiting.done():
            self._waiting = asyncio.get_running_loop().create_task(self._draw_when_due())

    async def _draw_when_due(self) -> None:
        while self._first_change is not None:
            left = self._due(self._first_change) - perf_counter()
            if left > 0:
                await asyncio.sleep(left)
            else:
                await self.now()

    def _due(self, first_change: float) -> float:
        quiet, patient = self._last_change + QUIET_SECONDS, first_change + LONGEST_SECONDS
        return max(self._drawn_at + LONGEST_SECONDS, min(quiet, patient))
