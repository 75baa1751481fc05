"""Start and end of a command: arguments, what a process shares, exit status.

The one place of the package that touches what all of a process shares: its standard streams and signal handlers.
"""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from ..errors import InputError, lacks_memory, printable
from ..progress import tell
from .bench import add_bench
from .lists import add_list
from .runs import add_decode, add_encode, add_evaluate, add_health
from .status import BAD_INPUT, INTERRUPTED
from .streams import say, usable_streams
from .training import add_resume, add_train

ENDING_SIGNALS = ("SIGTERM", "SIGHUP")
"""Slurm's time limit, `docker stop`, systemd; a terminal that is closed. They save as Ctrl-C does."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit status.

    0; 2 for bad input, told in at most two lines; 130 where it was interrupted, and 128 and the signal's number where
    a signal ended it: 143 for SIGTERM. Training has saved by then.
    """
    with usable_streams(), _signals_that_interrupt() as received:
        status = _status(arguments)
        return 128 + received[0] if received and status == INTERRUPTED else status


def _status(arguments: Sequence[str] | None) -> int:
    try:
        options = parser().parse_args(arguments)
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
    if len(lines) > 2:  # some are of a name or of another library's message
        lines = [message]
    tell("lgq-explore: " + "\n".join(map(printable, lines)))
    return BAD_INPUT


@contextmanager
def _signals_that_interrupt() -> Iterator[list[int]]:
    """ENDING_SIGNALS interrupt the main thread as Ctrl-C does; those that came are in the list.

    One that the caller ignores stays ignored (nohup).
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
    """argparse, but an error is one message and no dump of the usage, and options are written out."""

    def __init__(self, **settings: Any) -> None:
        # An abbreviation would change its meaning with the options that come to be: --seed was taken for --seeds.
        super().__init__(allow_abbrev=False, **settings)

    def _print_message(self, message: str, file: Any = None) -> None:
        say(message.rstrip("\n"))  # what --help and --version print; argparse would hide that it can't be written

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{printable(message)}\nSee {self.prog} --help")


def parser() -> argparse.ArgumentParser:
    from .. import __version__

    parser = _Parser(prog="lgq-explore", description="Train discrete image tokenizers alike, and see why they differ.")
    parser.add_argument("--version", action="version", version=f"lgq-explore {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (add_train, add_resume, add_evaluate, add_encode, add_decode, add_health, add_bench, add_list):
        add(commands)
    return parser
