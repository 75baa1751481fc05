"""The loggers of a run: asked for by name, opened when it trains, and dropped when they fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec

from lgq_explore.errors import InputError, near_matches, printable
from lgq_explore.progress import tell

from . import LOGGERS
from .base import LoggedRun, Logger


def require_loggers(names: Sequence[str]) -> None:
    """Raise InputError for a logger that is unknown, named twice, or whose package is not installed."""
    if isinstance(names, str):
        raise InputError(f"loggers is {names!r}: give a list of names, such as [{names!r}]")
    for name in names:
        if name not in LOGGERS:
            raise InputError(f"unknown logger {name!r}{near_matches(name, LOGGERS)}: choose from {', '.join(LOGGERS)}")
        if names.count(name) > 1:
            raise InputError(f"the logger {name} is named twice: name it once")
        package = LOGGERS[name].package
        if find_spec(package) is None:
            raise InputError(f"the logger {name} needs the package {package}: pip install {package}")


class Loggers:
    """Those that are open. One that raises an error is reported once and gets no further row."""

    def __init__(self) -> None:
        self._open: dict[str, Logger] = {}

    @classmethod
    @contextmanager
    def of(cls, names: Sequence[str], run: LoggedRun) -> Iterator[Loggers]:
        """Open them for a run, and close them whatever happens."""
        loggers = cls()
        for name in names:
            try:
                loggers._open[name] = LOGGERS[name].open(run)
            except Exception as error:
                _report(name, error)
        try:
            yield loggers
        finally:
            for name, logger in loggers._open.items():
                try:
                    logger.close()
                except Exception as error:
                    _report(name, error)

    def log(self, row: Mapping[str, float | None]) -> None:
        """A row of the history, with its step."""
        numbers = {column: number for column, number in row.items() if number is not None and column != "step"}
        step = int(row["step"] or 0)
        for name, logger in list(self._open.items()):
            try:
                logger.log(step, numbers)
            except Exception as error:
                del self._open[name]
                _report(name, error)


def _report(name: str, error: Exception) -> None:
    first, *_ = [*str(error).strip().splitlines(), type(error).__name__]
    tell(f"the logger {name} failed ({printable(first)}): training goes on without it, and history.csv has every row")
