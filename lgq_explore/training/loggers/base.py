"""What a logger is given, and what it does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class LoggedRun:
    """A run folder that is trained.

    recipe: as JSON. identity: of its config.json. step: finished steps; a run that continues has rows up to it.
    """

    path: Path
    recipe: Mapping[str, Any]
    identity: str
    step: int

    @property
    def key(self) -> str:
        """Short and the same whenever the run continues; of equal recipes in two folders it differs."""
        made = (self.path / "config.json").stat().st_mtime_ns
        return hashlib.sha256(f"{self.identity} {made}".encode()).hexdigest()[:8]


class Logger(Protocol):
    """Takes rows of the history as they are written. What it raises is reported, and training goes on without it."""

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        """Take the row of a step, without the columns that are empty there."""

    def close(self) -> None:
        """Send what is not yet sent; nothing is logged afterwards."""


@dataclass(frozen=True)
class LoggerKind:
    """open: for a run that is about to train. package: what it imports, by the name that pip knows, too."""

    open: Callable[[LoggedRun], Logger]
    package: str
