"""Arrays read from files that may be damaged, or of another type than their names say.

A header is checked against the size of its data before anything is allocated or mapped, since NumPy accepts any type
and shape that a header names. Damage makes readers raise many kinds of exceptions; here it is always DamagedArrays.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class DamagedArrays(ValueError):
    """The file does not hold the expected arrays; the message says why, as a clause."""


@dataclass(frozen=True)
class _Header:
    """The header of a .npy array: shape and type of its values, and its own length in bytes."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    length: int

    @property
    def end(self) -> int:
        """Where the values end, in bytes from the start of the header."""
        return self.length + math.prod(self.shape) * self.dtype.itemsize


def mapped_array(path: Path, dtype: DTypeLike, shape: tuple[int, ...]) -> NDArray[Any]:
    """The array in a .npy file as a read-only memory map.

    Raises:
        DamagedArrays: the file does not hold exactly one array of this type and shape.
        OSError: a file that cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        header = _header(file)
    if (header.dtype, header.shape) != (np.dtype(dtype), shape):
        raise DamagedArrays(f"it holds {header.dtype} {list(header.shape)}, not {np.dtype(dtype)} {list(shape)}")
    if header.end != size:
        raise DamagedArrays("it is cut off, or longer than its array")
    return np.load(path, mmap_mode="r", allow_pickle=False)


def read_arrays(path: Path, names: Iterable[str]) -> dict[str, NDArray[Any]]:
    """The named arrays of a .npz file, read into memory; those that it lacks are left out.

    Raises:
        DamagedArrays: not a .npz file, a changed byte, a pickle, or a header that does not fit its array.
        OSError: a file that cannot be read.
    """
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                members = set(archive.namelist())
                for member in members:
                    archive.open(member).close()  # an array whose name was damaged would seem to be missing
                return {name: _member(archive, f"{name}.npy") for name in names if f"{name}.npy" in members}
        except DamagedArrays:
            raise
        except Exception as error:  # zipfile, its decompressors and NumPy each have their own exceptions
            if isinstance(error, OSError) and error.errno is not None:  # bz2 raises one without a number
                raise
            raise DamagedArrays("it is not a .npz file, or it is damaged") from error


def _member(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    with archive.open(name) as member:
        header = _header(member)
    if header.dtype.hasobject or header.dtype.itemsize == 0:
        raise DamagedArrays(f"{name} holds neither numbers nor text")
    if header.end != archive.getinfo(name).file_size:
        raise DamagedArrays(f"{name} is not as long as its header says")
    with archive.open(name) as member:
        array = np.lib.format.read_array(member, allow_pickle=False)
        member.read()  # to the end: only then is the checksum compared
    return array


def _header(file: IO[bytes]) -> _Header:
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        shape, _, dtype = readers[np.lib.format.read_magic(file)](file)
        return _Header(shape, dtype, file.tell())
    except OSError:
        raise
    except Exception as error:  # NumPy parses the header as Python source and lets its tokenizer's errors through
        raise DamagedArrays("it has no valid array header") from error
