"""A run as its folder held it at one moment, and whether the folder still does."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from lgq_explore.errors import InputError
from lgq_explore.files import given_path

from .history import history_of
from .run import Run, TrainedTokenizer
from .snapshots import Codebooks

MOST_SNAPSHOTS = 32
"""Snapshots that are read of a run: each costs an analysis a look at all tokens."""

Stamp = tuple[tuple[int, int, int] | None, ...]
"""Of recipe and weights: where the file is, when it was written, how long it is; None where there is none."""


class FrozenRun(Run):
    """A run as its folder held it at one moment: recipe, weights, snapshots and history go together.

    A trainer may go on, or another run be trained at the same path; nothing that is read here changes with it. Of many
    snapshots MOST_SNAPSHOTS are kept, evenly spread; `saved_snapshots` says how many there are. The tokenizer is one
    object, however often it is asked for: in eval mode, on the CPU, and not to be changed.

    Raises:
        InputError: a folder that is no run, or a run without weights.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        # Taken before the folder is read, so that what a trainer writes meanwhile is noticed.
        stamp = stamp_of(Path(os.path.expanduser(given_path(path))))
        super().__init__(path)
        self._trained = super().trained()
        snapshots = super().codebook_snapshots()
        steps = sorted(step for step in snapshots if step <= self._trained.finished_steps)
        self.saved_snapshots = len(steps)
        self._snapshots = {step: snapshots[step] for step in spread_over(steps, MOST_SNAPSHOTS)}
        self._history_then = super()._history_content()
        self.watch = FolderWatch(self, self._trained.digest, self._trained.finished_steps, stamp)

    @property
    def finished_steps(self) -> int:
        return self._trained.finished_steps

    @property
    def content(self) -> tuple[object, ...]:
        """Equal for two readings of one folder that found the same recipe, weights, history and snapshots."""
        folder = Path(os.path.abspath(self.path))
        return folder, self.identity, self._trained.digest, self._history_then, tuple(self._snapshots)

    def trained(self) -> TrainedTokenizer:
        return self._trained

    def codebook_snapshots(self) -> dict[int, Codebooks]:
        """Those of the steps that the weights have seen, at most MOST_SNAPSHOTS."""
        return dict(self._snapshots)

    def history(self) -> pd.DataFrame:
        """The rows of the steps that the weights have seen."""
        return self._rows.copy()

    @cached_property
    def _rows(self) -> pd.DataFrame:
        history = history_of(self._history_then, self._history)
        return history[history["step"] <= self.finished_steps]

    def remarks(self) -> list[str]:
        return self._remarks_then

    @cached_property
    def _remarks_then(self) -> list[str]:
        return super().remarks()

    def _history_content(self) -> bytes:
        return self._history_then


@dataclass
class FolderWatch:
    """Whether a run folder still holds the weights that were read from it.

    run: as it was read. digest, finished_steps: of its weights; empty and 0 where there were none. stamp: of the folder
    before it was read.
    """

    run: Run
    digest: str
    finished_steps: int
    stamp: Stamp
    _change: str = field(default="", init=False)

    def moved_on(self, remedy: str) -> str:
        """A sentence on what the folder holds by now, with the remedy; empty where it is the same."""
        stamp = stamp_of(self.run.path)
        if stamp != self.stamp:
            self.stamp, self._change = stamp, self._what_changed()
        return f"{self._change}: {remedy}." if self._change else ""

    def _what_changed(self) -> str:
        name = self.run.name
        try:
            now = Run(self.run.path)
            trained = now.trained()
        except InputError:
            return f"The folder of {name} was moved since, or its weights can't be read"
        if now.identity != self.run.identity:
            return f"Another run has since been trained in the place of {name}, to step {trained.finished_steps:,d}"
        if trained.finished_steps != self.finished_steps:
            return f"{name} has since been trained on, to step {trained.finished_steps:,d}"
        others = f"{name} has since got other weights of step {trained.finished_steps:,d}"
        return "" if trained.digest == self.digest else others


def frozen(run: Run) -> FrozenRun:
    """The run as its folder holds it now; one that was frozen before stays as it was then.

    Raises:
        InputError: as FrozenRun, and where the folder holds another run by now.
    """
    if isinstance(run, FrozenRun):
        return run
    now = FrozenRun(run.path)
    run.require_unchanged()
    return now


def spread_over(steps: Sequence[int], most: int) -> list[int]:
    """At most `most` of ascending steps, the first and the last among them, evenly spread over the list."""
    places = np.linspace(0, len(steps) - 1, min(most, len(steps))).round().astype(int)
    return [steps[place] for place in places]


def stamp_of(folder: Path) -> Stamp:
    """Cheap to read, and another one whenever the recipe or the weights in the folder were written anew."""
    return tuple(_file_stamp(folder / name) for name in ("config.json", "weights.safetensors"))


def _file_stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
