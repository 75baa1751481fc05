"""Progress of long work, in a notebook's cell or on stderr, which may be a terminal, a log, closed or full.

Progress never stops the work: what can't be written is left out.
"""

from __future__ import annotations

import sys
import uuid
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TextIO

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 10.0
"""Seconds between lines in a log or a pipe, where a bar that is redrawn would become one endless line."""
SECONDS_BETWEEN_DRAWINGS = 0.5

IN_A_CELL = "lgq_explore_progress"
"""What marks the output of a notebook's cell as a bar, in its metadata."""


class Progress:
    """How much of `total` is done: a bar on a terminal or in a notebook, elsewhere a line every few seconds.

    Use it as a context manager, in the thread that works. total: None if `move_to` gives it. done: units finished at
    the start, which are not counted for the forecast. shown: whether anything is written. delay: seconds of work before
    anything is written.
    """

    def __init__(
        self,
        description: str,
        total: int | None,
        unit: str,
        *,
        done: int = 0,
        shown: bool = True,
        delay: float = 0.0,
    ) -> None:
        shell = _notebook_shell()
        self._redraws = shell is not None or _is_terminal(sys.stderr)
        stream = _Unfailing if self._redraws else _Lines
        self._settings = {
            "desc": description,
            "unit": f" {unit}",
            "disable": not shown,
            "delay": delay,
            "file": stream(sys.stderr) if shell is None else _Cell(shell),
            "mininterval": SECONDS_BETWEEN_DRAWINGS if self._redraws else SECONDS_BETWEEN_LINES,
            "miniters": 1,  # the clock alone decides: steps may take a millisecond or a minute
            "dynamic_ncols": True,
        }
        self._bar: Any = None
        if total is not None:
            self._bar = tqdm(total=total, initial=done, **self._settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def advance(self, by: int = 1) -> None:
        """Report `by` more units as done."""
        self._bar.update(by)

    def move_to(self, done: int, total: int) -> None:
        """Report `done` of `total` units, for work of unknown length. A new total starts a new bar."""
        if self._bar is None or self._bar.total != total:
            self.__exit__(None, None, None)
            self._bar = tqdm(total=total, **self._settings)
        self._bar.update(done - self._bar.n)

    def found_done(self, by: int = 1) -> None:
        """Report `by` more units as done by somebody else; they are not counted for the forecast."""
        self._bar.n += by
        if not self._bar.disable:  # a bar that shows nothing has no forecast
            self._bar.initial += by
            self._bar.last_print_n += by

    def note(self, text: str, *, at_once: bool = False) -> None:
        """Show `text` behind the numbers from now on. at_once: write it to a log immediately, as a line of its own."""
        self._bar.set_postfix_str(text, refresh=self._redraws or at_once)


def tell(line: str) -> None:
    """Write a line to stderr; a failure to write is ignored."""
    stream = _Unfailing(sys.stderr)
    stream.write(f"{line}\n")
    stream.flush()


class _Unfailing:
    """A stream that ignores failures to write. None, which is Python's stderr when it is closed, writes nothing."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        if self._stream is None:
            return
        with suppress(OSError, ValueError):  # ValueError: closed since
            encoding = self._stream.encoding or "utf-8"
            self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))

    def flush(self) -> None:
        if self._stream is not None:
            with suppress(OSError, ValueError):
                self._stream.flush()

    def __getattr__(self, name: str) -> Any:  # its encoding, its width
        return getattr(self._stream, name)


class _Lines(_Unfailing):
    """A stream on which each drawing of a bar is a line of its own."""

    def write(self, text: str) -> None:
        line = text.strip()
        if line:
            super().write(f"{line}\n")


class _Cell:
    """The output of a notebook's cell, in which each drawing takes the place of the one before.

    It is text, which a saved notebook still shows when its kernel is gone; of tqdm's own bar for notebooks, a widget,
    JupyterLab then shows an error.
    """

    encoding = "utf-8"

    def __init__(self, shell: Any) -> None:
        self._publisher, self._id = shell.display_pub, uuid.uuid4().hex
        self._is_drawn = False

    def write(self, text: str) -> None:
        if line := text.strip():
            self._publisher.publish(
                {"text/plain": line},
                {IN_A_CELL: True},
                transient={"display_id": self._id},
                update=self._is_drawn,
            )
            self._is_drawn = True

    def flush(self) -> None:
        """Every drawing is sent at once."""


def _notebook_shell() -> Any:
    """IPython's shell where a Jupyter kernel runs this code, else None."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell if hasattr(shell, "kernel") else None


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed since
        return False
