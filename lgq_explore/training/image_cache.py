"""Where are decoded pictures kept, and how are they read back without decoding them again?

A set of pictures is two files under ``data_directory()/"images"``: all pixels end to end in one flat uint8
``.npy``, read by memory map, and a ``.json`` with each picture's name, size and digest. Their names carry a
hash of what went in (every file's name, size and time of change, and the size asked for): a changed file
makes a new pair, and a pair is never changed. The folder can be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ..errors import InputError
from .files import whole_file
from .image_files import UnusablePicture, read_picture

# The shorter side of a prepared picture is this many crops: 8·image_size pixels.
SIDE_IN_CROPS = 8
# Goes up whenever the same files would be prepared to other pixels.
_PREPARATION = 1
# Fewer files are decoded before a progress bar could be read.
_PROGRESS_FROM = 50


@dataclass(frozen=True)
class PictureFile:
    """A file to prepare, and the name its picture goes by."""

    name: str
    path: Path


@dataclass(frozen=True)
class Skipped:
    """A file that gave no picture, and why, as a clause that follows its name."""

    name: str
    why: str


@dataclass(frozen=True, eq=False)
class PreparedPictures:
    """Pictures in the order of their files: `pixels` uint8 [H, W, 3] each, and the SHA-256 of those."""

    names: tuple[str, ...]
    pixels: tuple[NDArray[np.uint8], ...]
    digests: tuple[str, ...]
    skipped: tuple[Skipped, ...]


def data_directory() -> Path:
    """Where pictures and runs go: $LGQ_EXPLORE_DATA, or data/ of the checkout, or ~/.cache/lgq-explore."""
    chosen = os.environ.get("LGQ_EXPLORE_DATA")
    if chosen:
        return Path(os.path.abspath(os.path.expanduser(chosen)))
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "pyproject.toml").is_file():
        return checkout / "data"
    return Path.home() / ".cache" / "lgq-explore"


def prepared_pictures(label: str, files: Sequence[PictureFile], image_size: int) -> PreparedPictures:
    """The pictures of `files`, shorter side 8·`image_size` pixels: from the cache, or decoded into it first.

    `label` begins the names of the cache's files. Files that cannot be used are in `skipped`, each with the
    reason.

    Raises:
        InputError: the cache's folder cannot be written.
    """
    folder = data_directory() / "images"
    entry = f"{label}-{image_size}px-{_key(files, image_size)}"
    cached = _read_entry(folder, entry)
    if cached is not None:
        return cached
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_entry(folder, entry, files, image_size)
    except OSError as error:
        raise InputError(
            f"decoded pictures cannot be kept in {folder}: {error.strerror or error}.\n"
            "Set LGQ_EXPLORE_DATA to a folder that can be written and has room."
        ) from error
    written = _read_entry(folder, entry)
    if written is None:
        raise InputError(f"the pictures just written to {folder / entry}.npy cannot be read back: check the disk")
    return written


def digest_of(pixels: NDArray[np.uint8]) -> str:
    """SHA-256 (hexadecimal) of the pixels in C order."""
    return hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest()


def _key(files: Sequence[PictureFile], image_size: int) -> str:
    stamps: list[tuple[str, str, int, int]] = []
    for file in files:
        try:
            status = file.path.stat()
            size, changed = status.st_size, status.st_mtime_ns
        except OSError:  # a file that is not there is named when it is decoded
            size, changed = -1, -1
        stamps.append((file.name, os.fspath(file.path), size, changed))
    identity = json.dumps([_PREPARATION, SIDE_IN_CROPS, image_size, stamps])
    return hashlib.sha256(identity.encode()).hexdigest()[:20]


def _read_entry(folder: Path, entry: str) -> PreparedPictures | None:
    """What the cache holds under this name; None where it is absent or damaged, to be prepared anew."""
    try:
        index = json.loads((folder / f"{entry}.json").read_bytes())
        blob = np.load(folder / f"{entry}.npy", mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):
        return None
    flat = np.asarray(blob)  # a plain view of the map: slices of numpy.memmap itself are many times slower
    shapes = [(picture["height"], picture["width"], 3) for picture in index["pictures"]]
    ends = np.cumsum([0, *(height * width * channels for height, width, channels in shapes)])
    if flat.dtype != np.uint8 or flat.shape != (ends[-1],):
        return None
    return PreparedPictures(
        names=tuple(picture["name"] for picture in index["pictures"]),
        pixels=tuple(
            flat[start:end].reshape(shape) for start, end, shape in zip(ends[:-1], ends[1:], shapes, strict=True)
        ),
        digests=tuple(picture["sha256"] for picture in index["pictures"]),
        skipped=tuple(Skipped(**skipped) for skipped in index["skipped"]),
    )


def _write_entry(folder: Path, entry: str, files: Sequence[PictureFile], image_size: int) -> None:
    """Decodes `files` into the pair of cache files; the index comes last and makes the pair valid."""
    pictures: list[dict[str, str | int]] = []
    skipped: list[Skipped] = []
    with whole_file(folder / f"{entry}.npy") as blob:
        start_of_pixels = _write_header(blob, 0)
        for file, outcome in zip(files, _decoded(files, image_size), strict=True):
            if isinstance(outcome, UnusablePicture):
                skipped.append(Skipped(file.name, str(outcome)))
                continue
            height, width, _ = outcome.shape
            digest = digest_of(outcome)
            pictures.append({"name": file.name, "height": height, "width": width, "sha256": digest})
            blob.write(outcome.data)
        pixel_bytes = blob.tell() - start_of_pixels
        blob.seek(0)
        _write_header(blob, pixel_bytes)
    index = {"pictures": pictures, "skipped": [asdict(one) for one in skipped]}
    with whole_file(folder / f"{entry}.json") as target:
        target.write(json.dumps(index, indent=1).encode())


def _write_header(blob: BinaryIO, pixel_bytes: int) -> int:
    """Writes the .npy header of a flat uint8 array and says where it ends.

    NumPy pads headers so that a larger first axis fits in later: pixels can be written before they are
    counted.
    """
    header = {"descr": "|u1", "fortran_order": False, "shape": (pixel_bytes,)}
    np.lib.format.write_array_header_1_0(blob, header)
    return blob.tell()


def _decoded(files: Sequence[PictureFile], image_size: int) -> Iterator[NDArray[np.uint8] | UnusablePicture]:
    """The picture of each file, or why there is none, in order; a few are decoded at a time."""

    def decode(file: PictureFile) -> NDArray[np.uint8] | UnusablePicture:
        try:
            return read_picture(file.path, SIDE_IN_CROPS * image_size, image_size)
        except UnusablePicture as unusable:
            return unusable

    workers = min(4, os.cpu_count() or 1)
    in_flight = 4 * workers  # bounds the pictures held in memory
    few = len(files) <= _PROGRESS_FROM
    progress = tqdm(total=len(files), desc="decoding pictures", unit="file", disable=few)
    with ThreadPoolExecutor(workers) as pool, progress, warnings.catch_warnings():
        # Pillow warns of pictures near its size limit, odd EXIF and the like: they either decode or are
        # named.
        warnings.simplefilter("ignore")
        for start in range(0, len(files), in_flight):
            for outcome in pool.map(decode, files[start : start + in_flight]):
                progress.update()
                yield outcome
