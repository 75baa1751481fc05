"""The folder of a sweep: what lies where, which cells are done, and who works on one.

    sweep.toml                 the sweep's file, as it was when the sweep was last started
    summaries/KEY.json         one for each finished cell: small, without paths, to be committed
    runs/KEY/                  ordinary run folders
    logs/KEY.log               what a cell's process said last
    logs/KEY.failed            its last lines, if it failed
    costs.json                 measured seconds per step
    .claims/KEY.lock           locked by the process that works on a cell

KEY begins with the hash of the recipe, see `cells.key_of`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lgq_explore.errors import InputError, printable
from lgq_explore.files import whole_file
from lgq_explore.runs.config import read_json
from lgq_explore.runs.outputs import require_folder_to_make
from lgq_explore.runs.sweep_paths import RUNS, SUMMARIES, SWEEP_FILE, summary_files

FORMAT = 2
"""Of summaries; increased if a new version writes other keys for what was there before.

In 1, `portable_hash` was named `recipe_hash`, as the hash in a run's config.json is, which holds the folder's path.
"""

LONGEST_LOOK_SECONDS = 0.5
"""What a process waits for a cell. Whoever only looks (`is_claimed`) holds it for a millisecond at most."""


class CellTaken(Exception):
    """Another process works on the cell, on this machine or on another one that has the folder."""


@dataclass(frozen=True)
class SweepFolder:
    """A folder that holds a sweep."""

    path: Path

    @property
    def file(self) -> Path:
        """The copy of the sweep's file."""
        return self.path / SWEEP_FILE

    @property
    def summaries(self) -> Path:
        return self.path / SUMMARIES

    @property
    def costs(self) -> Path:
        return self.path / "costs.json"

    def run(self, key: str) -> Path:
        """The folder of a cell's run."""
        return self.path / RUNS / key

    def log(self, key: str) -> Path:
        return self.path / "logs" / f"{key}.log"

    def summary(self, key: str) -> dict[str, Any] | None:
        """The summary of a finished cell, or None. Raises InputError for a file that is none."""
        path = self.summaries / f"{key}.json"
        return _read_summary(path) if path.is_file() else None

    def all_summaries(self) -> list[dict[str, Any]]:
        """Every summary in the folder, sorted by the name of its file."""
        return [_read_summary(path) for path in summary_files(self.path)]

    def save_summary(self, key: str, summary: Mapping[str, Any]) -> None:
        """Write the summary of a finished cell, whole or not at all."""
        content = json.dumps(summary, indent=1, ensure_ascii=False, allow_nan=False)
        with self.writing(), whole_file(self.summaries / f"{key}.json") as target:
            target.write(f"{content}\n".encode())

    def require_usable(self) -> None:
        """Raise InputError unless the folder is one that can be written, or can be made; nothing is written."""
        if not self.path.exists():
            require_folder_to_make(self.path)
        elif not self.path.is_dir():
            raise InputError(f"{printable(self.path)} is a file: give a folder for the sweep (--out DIR)")
        elif not os.access(self.path, os.W_OK):
            raise InputError(f"{printable(self.path)} can't be written: give another folder (--out DIR)")

    def make(self, file: bytes) -> None:
        """Make the folder, with a copy of the sweep's file. Raises InputError if it can't be written."""
        with self.writing():
            for folder in (self.summaries, self.path / RUNS, self.path / "logs", self.path / ".claims"):
                folder.mkdir(parents=True, exist_ok=True)
            if not self.file.is_file() or self.file.read_bytes() != file:
                with whole_file(self.file) as target:
                    target.write(file)

    def failure(self, key: str) -> str:
        """The last lines of a cell that failed when it was last tried; empty if it did not."""
        with suppress(OSError):
            return self._failure(key).read_text(encoding="utf-8")
        return ""

    def record_failure(self, key: str, why: str) -> None:
        with self.writing(), whole_file(self._failure(key)) as target:
            target.write(why.encode())

    def forget_failure(self, key: str) -> None:
        with self.writing():
            self._failure(key).unlink(missing_ok=True)

    @contextmanager
    def claimed(self, key: str, patience: float = LONGEST_LOOK_SECONDS) -> Iterator[None]:
        """Hold a cell while the block runs. Raises CellTaken if another process holds it for `patience` seconds.

        The system releases the lock when the process ends, however it ends. Where the file system has no locks, the
        file itself is the lock: that of a process that was killed on another machine must be deleted by hand.
        """
        lock = FileLock(self._claim(key))
        with self.writing():
            try:
                lock.acquire(timeout=patience)
            except Timeout:
                raise CellTaken(key) from None
        try:
            yield
        finally:
            lock.release()

    def is_claimed(self, key: str) -> bool:
        """Whether another process works on the cell at this moment."""
        if not self._claim(key).exists():
            return False
        try:
            with self.claimed(key, patience=0):
                return False
        except CellTaken:
            return True

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A context in which a failure to write is an InputError."""
        try:
            yield
        except OSError as error:
            raise InputError(
                f"{printable(self.path)} can't hold the sweep: {error.strerror or error}. "
                "Give a folder that can be written (--out DIR)."
            ) from error

    def _claim(self, key: str) -> Path:
        return self.path / ".claims" / f"{key}.lock"

    def _failure(self, key: str) -> Path:
        return self.path / "logs" / f"{key}.failed"


def _read_summary(path: Path) -> dict[str, Any]:
    summary = read_json(path)
    if summary.get("format") == 1 and "recipe_hash" in summary:
        summary = {**summary, "format": FORMAT, "portable_hash": summary["recipe_hash"]}
    if summary.get("format") != FORMAT:
        raise InputError(f"{printable(path)} is not a summary of a sweep: move it away")
    return summary
