"""Snapshots of the learned codebooks of a run, one file per step.

A single learned codebook is an array, `step-00000200.npy`, which is read by memory map. Several are one archive,
`step-00000200.npz`, numbered by their place among the learned groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lgq_explore.errors import InputError, printable
from lgq_explore.files import whole_file

from .arrays import DamagedArrays, mapped_array, read_arrays
from .run_files import files_by_step

SUFFIXES = (".npy", ".npz")

Guard = Callable[[], AbstractContextManager[None]]

Codebooks = list[NDArray[np.float32]]
"""The codebooks [levels[g], P_g] of one step, one per learned group g, in order, as `with_codebooks` takes them."""


class CodebookSnapshots(Mapping[int, Codebooks]):
    """Finished steps → learned codebooks, float32, ascending; each is read on access.

    reading: a context in which files are read; it raises if the folder no longer holds this run. Access to a damaged
    file raises InputError with its path.
    """

    def __init__(self, files: Mapping[int, Path], shapes: Sequence[tuple[int, ...]], reading: Guard) -> None:
        self._files, self._shapes, self._reading = files, shapes, reading

    def __getitem__(self, step: int) -> Codebooks:
        path = self._files[step]
        with self._reading():
            return self._read(path)

    def _read(self, path: Path) -> Codebooks:
        try:
            return self._arrays(path)
        except (DamagedArrays, OSError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise InputError(
                f"{printable(path)} is not a snapshot of this run's codebook: {why}.\n"
                "Put back the file that training wrote, or delete it."
            ) from error

    def __iter__(self) -> Iterator[int]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def _arrays(self, path: Path) -> Codebooks:
        if len(self._shapes) == 1:
            return [mapped_array(path, np.float32, self._shapes[0])]
        arrays = read_arrays(path, _names(len(self._shapes)))
        wanted = [(np.dtype(np.float32), shape) for shape in self._shapes]
        if [(book.dtype, book.shape) for book in arrays.values()] != wanted:
            found = {name: list(book.shape) for name, book in arrays.items()}
            raise DamagedArrays(f"it holds {found}, not {[list(shape) for shape in self._shapes]}")
        return list(arrays.values())


def snapshots_in(folder: Path, shapes: Sequence[tuple[int, ...]], newest: float, reading: Guard) -> CodebookSnapshots:
    """The snapshots in a folder up to step `newest`, of learned codebooks of these shapes; may be empty."""
    files = files_by_step(folder, suffix_of(len(shapes))) if shapes else {}
    return CodebookSnapshots({step: file for step, file in files.items() if step <= newest}, shapes, reading)


def suffix_of(codebooks: int) -> str:
    return ".npy" if codebooks == 1 else ".npz"


def write_snapshot(folder: Path, step: int, codebooks: Sequence[NDArray[np.floating]]) -> None:
    """Write a snapshot as a whole or not at all. Raises OSError."""
    folder.mkdir(exist_ok=True)
    arrays = [codebook.astype(np.float32, copy=False) for codebook in codebooks]
    with whole_file(folder / f"step-{step:08d}{suffix_of(len(arrays))}") as target:
        if len(arrays) == 1:
            np.save(target, arrays[0], allow_pickle=False)
        else:
            named: dict[str, Any] = dict(zip(_names(len(arrays)), arrays, strict=True))
            np.savez(target, **named)


def remove_snapshots_after(folder: Path, step: int) -> None:
    """Remove the snapshots after `step`. Raises OSError."""
    for suffix in SUFFIXES:
        for seen, snapshot in files_by_step(folder, suffix).items():
            if seen > step:
                snapshot.unlink()


def _names(codebooks: int) -> list[str]:
    return [f"codebook-{place}" for place in range(codebooks)]
