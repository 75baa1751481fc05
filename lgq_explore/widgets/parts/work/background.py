"""Work of a panel in other threads, while the kernel's loop stays free."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from lgq_explore.errors import InputError

from .kernel_loop import running_loop

Piece = Callable[[], object]
NextPiece = Callable[[], Piece | None]


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
    piece raised, which ends the work until `begin` is called again. urgent: as `next_piece`, of pieces that somebody
    waits for. They are done beside another piece that was begun before, and no other is begun beside them. rest:
    seconds to wait before one of `next_piece` is done; it is asked anew after waiting.
    """

    def __init__(
        self,
        next_piece: NextPiece,
        done: Callable[[], None],
        failed: Callable[[Exception], None],
        *,
        urgent: NextPiece = lambda: None,
        rest: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._next_piece, self._done, self._failed = next_piece, done, failed
        self._urgent, self._rest = urgent, rest
        self._tasks: dict[NextPiece, asyncio.Task[None]] = {}
        self._is_stopped = False

    @property
    def is_stopped(self) -> bool:
        """Whether nothing more is begun until `allow` is called."""
        return self._is_stopped

    def stop(self) -> None:
        """Begin no other piece. Those that are begun end by themselves, or where they call `require_wanted`."""
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
        if loop is None or self._is_stopped or self._urgent in self._tasks:
            return
        piece = self._urgent()
        if piece is not None:
            self._tasks[self._urgent] = loop.create_task(self._work(self._urgent, partial(self._do, piece)))
        elif self._next_piece not in self._tasks and (piece := self._next_piece()) is not None:
            self._tasks[self._next_piece] = loop.create_task(
                self._work(self._next_piece, partial(self._rest_and_do, piece))
            )

    async def finished(self) -> None:
        """Wait until no piece is left."""
        while self._tasks:
            await asyncio.shield(next(iter(self._tasks.values())))

    async def _work(self, asked: NextPiece, work: Callable[[], Awaitable[bool]]) -> None:
        """Do what the one who was asked gave, and go on where that may have left more."""
        try:
            goes_on = await work()
        finally:
            del self._tasks[asked]
        if goes_on:
            self.begin()

    async def _rest_and_do(self, asked_first: Piece) -> bool:
        while (seconds := self._rest()) > 0:
            await asyncio.sleep(seconds)
        if self._is_stopped or self._urgent in self._tasks:
            return False
        # Where nothing is left, another thread did the piece meanwhile: it is quick now, and `done` has it drawn.
        return await self._do(self._next_piece() or asked_first)

    async def _do(self, piece: Piece) -> bool:
        """Do a piece; False where the work ends with it."""
        try:
            await asyncio.to_thread(piece)
            self._done()
        except Abandoned:
            pass
        except InputError as error:
            self._failed(error)
            return False
        except Exception as error:  # a defect: the kernel's log has the rest
            self._failed(error)
            raise
        return True
