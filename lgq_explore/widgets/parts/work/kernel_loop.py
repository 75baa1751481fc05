"""The kernel's event loop, in which panels draw and begin to train."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class KernelLoop:
    """The event loop of the place where this object is made; in a script there is none.

    Clicks and moves may arrive in another thread than the one that draws. What they ask for is done in this loop.
    """

    def __init__(self) -> None:
        self._loop = running_loop()

    @property
    def is_running(self) -> bool:
        """Whether there is a loop that has not ended yet."""
        return self._loop is not None and not self._loop.is_closed()

    def soon(self, act: Callable[[], object]) -> None:
        """Call `act` in the loop's thread, as soon as the loop is free; at once in this thread where there is no loop.

        Any thread may call this.
        """
        if self._loop is None or self._loop.is_closed():
            act()
        else:
            self._loop.call_soon_threadsafe(act)

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        """Call `act` in the loop's thread after this time; at once in this thread where there is no loop.

        Only the loop's thread may call this: elsewhere ask for it by `soon`.
        """
        if self._loop is None or self._loop.is_closed():
            act()
        else:
            self._loop.call_later(seconds, act)


def log_defect(what: str, error: Exception) -> None:
    """Let the kernel's log have an error that a panel lives on with. Where no loop runs, it is raised."""
    loop = running_loop()
    if loop is None:
        raise error
    loop.call_exception_handler({"message": what, "exception": error})


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop that runs in this thread; None in a script, which has none."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
