"""Tests of reading arrays from files that may be damaged."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lgq_explore.runs.arrays import DamagedArrays, mapped_array, read_arrays

CODEBOOK = np.arange(6, dtype=np.float32).reshape(3, 2)


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def header(text: str) -> bytes:
    """A .npy file that begins with this header, whatever it says."""
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + bytes(64)


HUGE = header(repr({"descr": "<f4", "fortran_order": False, "shape": (2**40,)}))
EMPTY_TYPE = header(repr({"descr": "|V0", "fortran_order": False, "shape": (3, 2)}))
PICKLED = npy(np.array([{}, None], dtype=object))
NO_ARRAYS = {
    "nothing": b"",
    "text": b"no array at all",
    "magic only": b"\x93NUMPY\x01\x00",
    "brackets": header("(((("),
    "version 9": b"\x93NUMPY\x09\x00" + bytes(64),
    "huge": HUGE,
    "type of no bytes": EMPTY_TYPE,
    "pickled": PICKLED,
    "cut": npy(CODEBOOK)[:-1],
    "longer": npy(CODEBOOK) + b"\0",
}
OF_ANOTHER_KIND = {
    "double": npy(CODEBOOK.astype(np.float64)),
    "big endian": npy(CODEBOOK.astype(">f4")),
    "flat": npy(CODEBOOK.ravel()),
    "wider": npy(np.zeros((3, 3), np.float32)),
    "a zip": b"PK\x03\x04" + bytes(64),
}


@pytest.mark.parametrize("order", ["C", "F"])
def test_an_array_is_mapped_as_it_was_saved(tmp_path: Path, order: str) -> None:
    path = tmp_path / "codebook.npy"
    np.save(path, np.asarray(CODEBOOK, order=order))
    mapped = mapped_array(path, np.float32, (3, 2))
    assert isinstance(mapped, np.memmap)
    assert mapped.tolist() == [[0, 1], [2, 3], [4, 5]]
    with pytest.raises(ValueError, match="read-only"):
        mapped[0, 0] = 1


@pytest.mark.parametrize(
    "content", [*NO_ARRAYS.values(), *OF_ANOTHER_KIND.values()], ids=[*NO_ARRAYS, *OF_ANOTHER_KIND]
)
def test_anything_else_is_not_mapped(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "codebook.npy"
    path.write_bytes(content)
    with pytest.raises(DamagedArrays):
        mapped_array(path, np.float32, (3, 2))


def test_what_cannot_be_opened_is_told_apart_from_damage(tmp_path: Path) -> None:
    for path, why in ((tmp_path, "Is a directory"), (tmp_path / "lost", "No such file")):
        with pytest.raises(OSError, match=why):
            mapped_array(path, np.float32, (3, 2))
        with pytest.raises(OSError, match=why):
            read_arrays(path, ["codes"])


def test_named_arrays_are_read_and_missing_ones_left_out(tmp_path: Path) -> None:
    path = tmp_path / "arrays.npz"
    np.savez_compressed(path, codes=CODEBOOK, names=np.array(["é", "\udcff"]), other=np.zeros(3))
    arrays = read_arrays(path, ["codes", "names", "missing"])
    assert list(arrays) == ["codes", "names"]
    np.testing.assert_array_equal(arrays["codes"], CODEBOOK)
    assert arrays["names"].tolist() == ["é", "\udcff"]
    assert arrays["codes"].flags.writeable


@pytest.mark.parametrize("content", NO_ARRAYS.values(), ids=NO_ARRAYS)
def test_a_member_that_is_no_array_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "arrays.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("codes.npy", content)
    with pytest.raises(DamagedArrays):
        read_arrays(path, ["codes"])


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_changed_byte_is_refused_however_it_is_packed(tmp_path: Path, method: int) -> None:
    path = tmp_path / "arrays.npz"
    noise = np.random.default_rng(0).integers(0, 256, 3000, dtype=np.uint8)
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("codes.npy", npy(noise))
    whole = path.read_bytes()
    np.testing.assert_array_equal(read_arrays(path, ["codes"])["codes"], noise)
    for place in (60, 1000, 2500):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        with pytest.raises(DamagedArrays):
            read_arrays(path, ["codes"])


def test_an_array_whose_name_was_damaged_is_not_taken_for_a_missing_one(tmp_path: Path) -> None:
    path = tmp_path / "arrays.npz"
    np.savez(path, codes=CODEBOOK, device=np.array("cpu"))
    before, name, after = path.read_bytes().rpartition(b"device.npy")  # in the directory at the end
    path.write_bytes(before + name.replace(b"c", b"z") + after)
    with pytest.raises(DamagedArrays):
        read_arrays(path, ["codes", "device"])
