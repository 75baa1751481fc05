"""What do the files in a run folder hold, and are they whole?"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from lgq_explore.errors import InputError, printable

from .arrays import DamagedArrays, mapped_array

_OF_A_STEP = re.compile(r"step-(\d{8,18})", re.ASCII)


class CodebookSnapshots(Mapping[int, NDArray[np.float32]]):
    """Finished steps → codebook [K, D], float32, ascending; each is mapped into memory when it is asked for.

    Asking for a damaged one raises InputError, by its path.
    """

    def __init__(self, files: Mapping[int, Path], shape: tuple[int, int]) -> None:
        self._files, self._shape = files, shape

    def __getitem__(self, step: int) -> NDArray[np.float32]:
        path = self._files[step]
        try:
            return mapped_array(path, np.float32, self._shape)
        except (DamagedArrays, OSError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise InputError(
                f"{printable(path)} is no snapshot of this run's codebook: {why}.\n"
                "Put back the file that training wrote, or delete it."
            ) from error

    def __iter__(self) -> Iterator[int]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def finished_steps_of(weights: BinaryIO, path: Path) -> int:
    """The finished steps in the header of a weights file. Raises InputError for a damaged or a cut one, by its path."""
    size = weights.seek(0, 2)
    weights.seek(0)
    length = int.from_bytes(weights.read(8), "little")
    try:
        header = json.loads(weights.read(min(length, size)))
        steps = int(header.pop("__metadata__")["steps"])
        end = max(tensor["data_offsets"][1] for tensor in header.values())
    except Exception as error:  # any JSON may stand there
        raise damaged_weights(path, "its header is damaged") from error
    if 8 + length + end != size or steps < 0:
        raise damaged_weights(path, "it is cut, or longer than its header says")
    return steps


def damaged_weights(path: Path, why: str) -> InputError:
    return InputError(f"{printable(path)} can't be read: {why}.\nDelete it and resume the run.")


def unreadable(path: Path, error: OSError) -> InputError:
    return InputError(f"{printable(path)} can't be read: {error.strerror}.\nMake it a readable file.")


def step_of(path: Path, suffix: str = "") -> int | None:
    """The finished steps that a file or folder is named by; None for another name."""
    match = _OF_A_STEP.fullmatch(path.name.removesuffix(suffix))
    return int(match[1]) if match else None


def files_by_step(folder: Path, suffix: str = "") -> dict[int, Path]:
    """Step → what is named by it in a folder, ascending; whatever else is there is passed over."""
    named = ((step_of(path, suffix), path) for path in folder.glob(f"step-*{suffix}"))
    return dict(sorted((step, path) for step, path in named if step is not None))
