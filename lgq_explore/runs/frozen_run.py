"""A run as its folder held it at one moment, and a check whether the folder has changed since."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from lgq_explore.errors import InputError
from lgq_explore.files import given_path_from_home

from .history import history_of
from .run import Run, TrainedTokenizer
from .snapshots import Codebooks

MOST_SNAPSHOTS = 32
"""The most snapshots that are kept of a run: an analysis looks at all tokens for each."""

FileStamp = tuple[int, int, int] | None
"""Inode, time of change and size of a file; None for a missing one."""

Stamp = tuple[FileStamp, ...]
"""Of the recipe's and the weights' files."""


class FrozenRun(Run):
    """A run as its folder held it at one moment; recipe, weights, snapshots and history belong together.

    Training may continue, or another run may be trained at the same path, without changing what was read. At most
    MOST_SNAPSHOTS snapshots are kept, evenly spread; `saved_snapshots` is the number in the folder. The tokenizer is
    one shared object in eval mode, on the CPU, and must not be changed.

    Raises:
        InputError: not a run folder, or a run without weights.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        # Taken before the folder is read, so that later writes of a trainer are noticed.
        stamp = stamp_of(given_path_from_home(path))
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
        """A key that is equal for two readings of one folder with the same recipe, weights, history and snapshots."""
        folder = Path(os.path.abspath(self.path))
        return folder, self.identity, self._trained.digest, self._history_then, tuple(self._snapshots)

    def trained(self) -> TrainedTokenizer:
        return self._trained

    def codebook_snapshots(self) -> dict[int, Codebooks]:
        """The snapshots up to the step of the weights, at most MOST_SNAPSHOTS."""
        return dict(self._snapshots)

    def history(self) -> pd.DataFrame:
        """The rows up to the step of the weights."""
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
    """Checks whether a run folder still holds the weights that were read from it.

    run: as it was read. digest, finished_steps: of its weights; empty and 0 if there were none. stamp: of the folder
    before it was read.
    """

    run: Run
    digest: str
    finished_steps: int
    stamp: Stamp
    _change: str = field(default="", init=False)

    def moved_on(self, remedy: str) -> str:
        """A sentence on how the folder has changed, with the remedy; empty if it has not."""
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
    """The run as its folder holds it now; a frozen run is returned unchanged.

    Raises:
        InputError: as FrozenRun, and if the folder holds another run by now.
    """
    if isinstance(run, FrozenRun):
        return run
    now = FrozenRun(run.path)
    run.require_unchanged()
    return now


def spread_over(steps: Sequence[int], most: int) -> list[int]:
    """At most `most` of some ascending steps, evenly spread, including the first and the last."""
    places = np.linspace(0, len(steps) - 1, min(most, len(steps))).round().astype(int)
    return [steps[place] for place in places]


def stamp_of(folder: Path) -> Stamp:
    """A stamp that is cheap to read and changes whenever the recipe or the weights are written."""
    return tuple(file_stamp(folder / name) for name in ("config.json", "weights.safetensors"))


def file_stamp(path: Path) -> FileStamp:
    """A stamp that is cheap to read and changes whenever the file is written."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
