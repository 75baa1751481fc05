"""Work of a panel in other threads, while the kernel's loop stays free."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from lgq_explore.errors import InputError

from .kernel_loop import running_loop

Piece = Callable[[], object]


@dataclass(frozen=True)
class Work:
    """A piece of work, and what it computes, in words that follow "is computed"."""

    what: str
    do: Piece


class Abandoned(Exception):
    """Raised by a piece of work that nobody waits for any more: no error."""


class Background:
    """Pieces of work, each done in another thread, one after the other.

    next_piece: the piece to do now, or None where none is left; asked anew after each, so that what a reader wants now
    is done first. A long piece calls `require_wanted` now and then, and raises Abandoned itself where it knows better.
    done: called in the loop's thread after each piece that was not abandoned. failed: called there with what else a
    piece raised, which ends the work until `begin` is called again. rest: seconds to wait before the next piece is
    asked for; asked anew after waiting, and by `begin`.
    """

    def __init__(
        self,
        next_piece: Callable[[], Piece | None],
        done: Callable[[], None],
        failed: Callable[[Exception], None],
        rest: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._next_piece, self._done, self._failed, self._rest = next_piece, done, failed, rest
        self._task: asyncio.Task[None] | None = None
        self._is_stopped = False
        self._asked_again = asyncio.Event()

    @property
    def is_stopped(self) -> bool:
        """Whether nothing more is begun until `allow` is called."""
        return self._is_stopped

    def stop(self) -> None:
        """Begin no other piece. The present one ends by itself, or where it calls `require_wanted`."""
        self._is_stopped = True

    def allow(self) -> None:
        """Take `stop` back; `begin` begins again. Any thread may call this."""
        self._is_stopped = False

    def require_wanted(self) -> None:
        """Called by pieces: raises Abandoned after `stop`."""
        if self._is_stopped:
            raise Abandoned

    def begin(self) -> None:
        """Work until no piece is left, if that is not done already. Nothing happens in a script, which has no loop."""
        loop = running_loop()
        if loop is None:
            return
        if self.is_busy:
            self._asked_again.set()
        else:
            self._task = loop.create_task(self._work())

    async def finished(self) -> None:
        """Wait until no piece is left."""
        while self._task is not None and not self._task.done():
            await asyncio.shield(self._task)

    @property
    def is_busy(self) -> bool:
        """Whether there is work that has begun and not ended."""
        return self._task is not None and not self._task.done()

    async def _work(self) -> None:
        while True:
            await self._wait_for_rest()
            piece = self._wanted_piece()
            if piece is None:
                return
            try:
                await asyncio.to_thread(piece)
                self._done()
            except Abandoned:
                pass
            except InputError as error:
                self._failed(error)
                return
            except Exception as error:  # a defect: the kernel's log has the rest
                self._failed(error)
                raise

    async def _wait_for_rest(self) -> None:
        while (seconds := self._rest()) > 0:
            self._asked_again = asyncio.Event()  # a new one: the last may belong to another loop
            with suppress(TimeoutError):
                await asyncio.wait_for(self._asked_again.wait(), seconds)

    def _wanted_piece(self) -> Piece | None:
        return None if self._is_stopped else self._next_piece()
