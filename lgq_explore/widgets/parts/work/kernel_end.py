"""What is to be done when the kernel is asked to end, or the process ends."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from typing import Any

from IPython.core.getipython import get_ipython


class KernelEnd:
    """Calls `begin` when a shutdown or restart of the kernel is asked for, and `finish` when the process ends.

    Jupyter ends a kernel by force when it has taken too long: 2.5 seconds by default. So `begin` is called at once, in
    another thread, also while a cell keeps the main thread busy, and should not take long. `finish` is called in the
    main thread, if that comes to its end in time.
    """

    def __init__(self, begin: Callable[[], None], finish: Callable[[], None]) -> None:
        self._begin, self._finish = begin, finish
        self._shell = get_ipython()

    def watch(self) -> None:
        """Begin to wait for the end."""
        atexit.register(self._finish)
        if self._shell is not None:
            self._shell.observe(self._asked_to_end, "exit_now")  # set by a kernel as it hears of a shutdown

    def forget(self) -> None:
        """Do nothing at the end. Any thread may call this."""
        atexit.unregister(self._finish)
        if self._shell is not None:
            self._shell.unobserve(self._asked_to_end, "exit_now")

    def _asked_to_end(self, change: Any) -> None:
        if change["new"]:
            self._begin()
