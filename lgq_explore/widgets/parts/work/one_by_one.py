"""Runs that are looked at one after the other, as many as there are, while what is known already is shown."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import Generic, TypeVar

from lgq_explore.errors import InputError

from .background import Piece, Work

Made = TypeVar("Made")


class OneByOne(Generic[Made]):
    """What is made of each run, by the runs' names. Any thread may make it.

    make: makes it of the run of this name, and may raise InputError, which is kept and said. done: what was done with
    the runs that are known, in words that follow "4 of 12 runs are".
    """

    def __init__(self, names: Iterable[str], make: Callable[[str], Made], done: str) -> None:
        self.names = list(names)
        self.refusals: dict[str, str] = {}
        self._make, self._done = make, done
        self._known: dict[str, Made] = {}
        self._due = set(self.names)
        self._lock = threading.Lock()

    def of(self, name: str) -> Made:
        """Of one run, made now if it was not before. Raises InputError."""
        with self._lock:
            if name in self._due or name not in self._known:
                self._known[name] = self._make(name)
                self._due.discard(name)
                self.refusals.pop(name, None)
            return self._known[name]

    def known(self) -> dict[str, Made]:
        """What is made already, in the order of the runs."""
        return {name: self._known[name] for name in self.names if name in self._known}

    def all(self) -> dict[str, Made]:
        """Of all runs, made now where it was not before. Raises InputError."""
        return {name: self.of(name) for name in self.names}

    def attempt(self, name: str) -> None:
        """As `of`, but a refusal is kept in `refusals`, and so is what was known before."""
        try:
            self.of(name)
        except InputError as error:
            self.refusals[name] = str(error)
            self._due.discard(name)

    def renew(self) -> None:
        """Have everything made again; until then, what is known stays."""
        self._due = set(self.names)

    def is_due(self, name: str) -> bool:
        """Whether nobody has tried yet to make it, since the last `renew`."""
        return name in self._due

    def next_due(self) -> str | None:
        """A run that was not tried yet; None where all were."""
        return next((name for name in self.names if name in self._due), None)

    def work(self, name: str, what: str) -> Work | None:
        """What makes it of one run, called `what`; None where that was tried."""
        return Work(what, partial(self.attempt, name)) if self.is_due(name) else None

    def next_piece(self) -> Piece | None:
        """What makes it of the run that is due next; None where none is."""
        name = self.next_due()
        return None if name is None else partial(self.attempt, name)

    def progress(self) -> str:
        """How far it is; empty where every run was tried."""
        tried = len(self.names) - len(self._due)
        return f"{tried} of {len(self.names)} runs are {self._done}" if self._due else ""

    def refused(self) -> str:
        """A line for each run that was refused."""
        return "\n".join(f"{name} can't be {self._done}: {why}" for name, why in self.refusals.items())
