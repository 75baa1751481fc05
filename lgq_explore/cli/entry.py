"""Entry point of the command line: parsing arguments, signals, errors and exit statuses.

With `streams`, it is the only part of the package that changes process-wide state: standard streams, signal handlers,
and how warnings look.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn, TextIO

from ..errors import BrokenPackage, InputError, lacks_memory, printable
from ..progress import tell
from .bench import add_bench
from .compare import add_compare
from .lists import add_list
from .options import whole_number
from .runs import add_decode, add_encode, add_evaluate, add_health
from .status import BAD_INPUT, INTERRUPTED
from .streams import say, usable_streams
from .sweep import add_sweep
from .training import add_resume, add_train

ENDING_SIGNALS = ("SIGTERM", "SIGHUP")
"""Sent at Slurm's time limit, by `docker stop` and systemd, and when a terminal is closed. Handled like Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    0 for success; 2 for bad input, reported in at most two lines; 130 after Ctrl-C, and 128 plus the signal's number
    after another signal, such as 143 for SIGTERM. Training has saved by then.
    """
    with usable_streams(), _warnings_in_a_line(), _signals_that_interrupt() as received:
        status = _status(arguments)
        return 128 + received[0] if received and status == INTERRUPTED else status


def _status(arguments: Sequence[str] | None) -> int:
    try:
        given = sys.argv[1:] if arguments is None else arguments
        if not given:
            parser().print_help()
            return 0
        options = parser().parse_args(given)
        status: int = options.command(options)
        return status
    except InputError as error:
        return _refused(str(error))
    except (MemoryError, RuntimeError) as error:
        if not lacks_memory(error):
            raise
        return _refused(f"memory ran out: {error}\nGive less at once: fewer crops, smaller images, fewer codes.")
    except KeyboardInterrupt:
        tell("lgq-explore: interrupted")
        return INTERRUPTED


def _refused(message: str) -> int:
    lines = message.split("\n")
    if len(lines) > 2:  # line breaks in a name or in another library's message
        lines = [message]
    tell("lgq-explore: " + "\n".join(map(printable, lines)))
    return BAD_INPUT


@contextmanager
def _warnings_in_a_line() -> Iterator[None]:
    """A context in which warnings of a BrokenPackage look like other messages of a command."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def show_in_a_line(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if issubclass(category, BrokenPackage):
                tell(f"lgq-explore: {printable(message)}")
            else:
                show(message, category, filename, lineno, file, line)

        warnings.showwarning = show_in_a_line
        yield


@contextmanager
def _signals_that_interrupt() -> Iterator[list[int]]:
    """A context in which ENDING_SIGNALS raise KeyboardInterrupt, like Ctrl-C; those received are in the list.

    Signals that the caller ignores remain ignored (nohup).
    """
    received: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        received.append(number)
        raise KeyboardInterrupt

    replaced = {}
    if threading.current_thread() is threading.main_thread():
        for number in (getattr(signal, name) for name in ENDING_SIGNALS if hasattr(signal, name)):
            if signal.getsignal(number) is signal.SIG_DFL:
                replaced[number] = signal.signal(number, interrupt)
    try:
        yield received
    finally:
        for number, before in replaced.items():
            signal.signal(number, before)


class _Parser(argparse.ArgumentParser):
    """An argparse parser without usage dumps in error messages and without abbreviated options."""

    def __init__(self, **settings: Any) -> None:
        # New options would change the meaning of abbreviations, such as --seed for --seeds.
        super().__init__(allow_abbrev=False, **settings)
        self.register("type", int, whole_number)

    def _print_message(self, message: str, file: Any = None) -> None:
        say(message.rstrip("\n"))  # for --help and --version; argparse would hide a failure to write

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{printable(message)}\nSee {self.prog} --help")


def parser() -> argparse.ArgumentParser:
    from .. import __version__

    parser = _Parser(prog="lgq-explore", description="Train discrete image tokenizers alike, and see why they differ.")
    parser.add_argument("--version", action="version", version=f"lgq-explore {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (
        add_train,
        add_resume,
        add_evaluate,
        add_encode,
        add_decode,
        add_health,
        add_sweep,
        add_compare,
        add_bench,
        add_list,
    ):
        add(commands)
    return parser
