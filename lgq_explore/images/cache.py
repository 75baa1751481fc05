"""The cache of decoded pictures.

A set of pictures is two files under ``data_directory()/"images"``: all pixels end to end in one flat uint8 ``.npy``,
read by memory map, and a ``.json`` with each picture's name, size, digest and sketch. Their names contain a hash of
the input: the name, size, inode and times of change of every file, and how pictures are prepared. The files' bytes are
not hashed, since reading them would take as long as the cache saves, and the time at which the system saw a file
change (``st_ctime``) cannot be set back. A changed file makes a new pair, and a pair is never changed.

Nothing in the folder is trusted. The index has its own SHA-256, and each process checks the pixels against theirs when
it first reads a pair, and again when the file has changed. A damaged pair is prepared again. The folder can be deleted
at any time.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image

from lgq_explore.files import remove_leftovers, whole_file

from ..errors import InputError, printable
from ..folders import data_directory
from ..progress import Progress
from .copies import Sketch, sketch_of
from .cutting import SIDE_IN_CROPS
from .decoding import UnusablePicture, picture_formats, pixels_to_decode, read_picture
from .source import Skipped

# Increased whenever a new version prepares the same files differently.
_PREPARATION = 2
# For fewer files, decoding is too quick for a progress bar.
_PROGRESS_FROM = 50
# The most pixels of all files that are being decoded or wait to be written; a larger file is decoded alone. Decoding
# takes four to eight bytes per pixel.
_PIXELS_AT_ONCE = 1 << 27
# The files of pixels that this process has checked, by a stamp that changes with the file.
_checked: set[tuple[object, ...]] = set()


@dataclass(frozen=True)
class PictureFile:
    """A file to prepare, and the name of its picture."""

    name: str
    path: Path


@dataclass(frozen=True, eq=False)
class PreparedPictures:
    """Pictures in the order of their files: `pixels` uint8 [H, W, 3] each, with their SHA-256 and sketches.

    contents: SHA-256 of each file, which does not depend on how pictures are prepared.
    """

    names: tuple[str, ...]
    contents: tuple[str, ...]
    pixels: tuple[NDArray[np.uint8], ...]
    digests: tuple[str, ...]
    sketches: tuple[Sketch, ...]
    skipped: tuple[Skipped, ...]


def prepared_pictures(label: str, files: Sequence[PictureFile], image_size: int) -> PreparedPictures:
    """The pictures of `files`, with a shorter side of 8·`image_size` pixels, from the cache; it is filled if necessary.

    label: beginning of the names of the cache's files. Unusable files are in `skipped`, each with the reason.

    Raises:
        InputError: the cache's folder cannot be written.
    """
    folder = data_directory() / "images"
    entry = f"{label}-{image_size}px-{_key(files, image_size)}"
    cached = _read_entry(folder, entry)
    if cached is not None and not _some_can_be_read_now(cached.skipped, files):
        return cached
    try:
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder)
        _write_entry(folder, entry, files, image_size)
    except OSError as error:
        raise InputError(
            f"decoded pictures cannot be kept in {printable(folder)}: {error.strerror or error}.\n"
            "Set LGQ_EXPLORE_DATA to a folder that can be written and has room."
        ) from error
    written = _read_entry(folder, entry)
    if written is None:
        raise InputError(
            f"the pictures just written to {printable(folder / entry)}.npy cannot be read back: check the disk"
        )
    return written


def digest_of(array: NDArray[Any]) -> str:
    """SHA-256 (hexadecimal) of the numbers of an array, such as pixels, in C order."""
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def _digest_of_file(path: Path) -> str:
    """SHA-256 (hexadecimal) of a file. Raises UnusablePicture if it can no longer be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UnusablePicture(error.strerror or str(error), passing=True) from error


def _key(files: Sequence[PictureFile], image_size: int) -> str:
    stamps: list[tuple[str, str, *tuple[int, ...]]] = []
    for file in files:
        stamp: tuple[int, ...] = (-1,)
        try:
            status = file.path.stat()
            stamp = status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns
        except OSError:  # a missing file is reported when it is decoded
            pass
        stamps.append((file.name, os.fspath(file.path), *stamp))
    decoder = [PIL.__version__, picture_formats(), Image.MAX_IMAGE_PIXELS]
    identity = json.dumps([_PREPARATION, SIDE_IN_CROPS, image_size, decoder, stamps])
    return hashlib.sha256(identity.encode()).hexdigest()[:20]


def _some_can_be_read_now(skipped: Sequence[Skipped], files: Sequence[PictureFile]) -> bool:
    """Whether a file that was skipped for a passing reason can be opened now."""
    passing = {one.name for one in skipped if one.passing}
    for file in files:
        if file.name in passing:
            try:
                with file.path.open("rb") as opened:
                    opened.read(1)
                return True
            except OSError:
                continue
    return False


def _read_entry(folder: Path, entry: str) -> PreparedPictures | None:
    """The cached pictures of this name; None if they are missing or damaged."""
    try:
        index = json.loads((folder / f"{entry}.json").read_bytes())
        if not isinstance(index, dict) or index.pop("sha256", None) != _digest_of_index(index):
            return None
        pictures: list[dict[str, Any]] = index["pictures"]
        shapes = [(picture["height"], picture["width"], 3) for picture in pictures]
        ends = np.cumsum([0, *(height * width * channels for height, width, channels in shapes)])
        digests = tuple(picture["sha256"] for picture in pictures)
        if not all("file_sha256" in picture for picture in pictures):  # written by an older version
            return None
        flat = _read_pixels(folder / f"{entry}.npy", int(ends[-1]))
    except (OSError, ValueError, RecursionError):
        return None
    if flat is None:
        return None
    pixels = tuple(
        flat.bytes[start:end].reshape(shape) for start, end, shape in zip(ends[:-1], ends[1:], shapes, strict=True)
    )
    if (flat.stamp, digests) not in _checked:
        if tuple(map(digest_of, pixels)) != digests:
            return None
        _checked.add((flat.stamp, digests))
    return PreparedPictures(
        names=tuple(picture["name"] for picture in pictures),
        contents=tuple(picture["file_sha256"] for picture in pictures),
        pixels=pixels,
        digests=digests,
        sketches=tuple(Sketch(**picture["sketch"]) for picture in pictures),
        skipped=tuple(Skipped(**skipped) for skipped in index["skipped"]),
    )


class _FlatPixels(NamedTuple):
    bytes: NDArray[np.uint8]
    stamp: tuple[int, ...]  # changes with the file


def _read_pixels(path: Path, count: int) -> _FlatPixels | None:
    """A memory map of `count` bytes of pixels; None if the file has another size or header."""
    header = _header(count)
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        if status.st_size != len(header) + count or file.read(len(header)) != header:
            return None
        stamp = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if count == 0:  # an empty file cannot be mapped
            return _FlatPixels(np.zeros(0, dtype=np.uint8), stamp)
        mapped = np.memmap(file, dtype=np.uint8, mode="r", offset=len(header), shape=(count,))
        # A plain view of the map: slices of numpy.memmap itself are many times slower.
        return _FlatPixels(np.asarray(mapped), stamp)


def _write_entry(folder: Path, entry: str, files: Sequence[PictureFile], image_size: int) -> None:
    """Decode `files` into the pair of cache files; the index is written last and makes the pair valid."""
    pictures: list[dict[str, Any]] = []
    skipped: list[Skipped] = []
    with whole_file(folder / f"{entry}.npy") as blob:
        start_of_pixels = blob.write(_header(0))
        for file, outcome in zip(files, _decoded(files, image_size), strict=True):
            if isinstance(outcome, UnusablePicture):
                skipped.append(Skipped(file.name, str(outcome), outcome.passing))
                continue
            height, width, _ = outcome.pixels.shape
            picture = {"name": file.name, "height": height, "width": width, "sha256": outcome.digest}
            pictures.append({**picture, "file_sha256": outcome.content, "sketch": asdict(outcome.sketch)})
            blob.write(outcome.pixels.data)
        pixel_bytes = blob.tell() - start_of_pixels
        blob.seek(0)
        blob.write(_header(pixel_bytes))
    index: dict[str, Any] = {"pictures": pictures, "skipped": [asdict(one) for one in skipped]}
    with whole_file(folder / f"{entry}.json") as target:
        target.write(json.dumps({"sha256": _digest_of_index(index), **index}, indent=1).encode())


def _digest_of_index(index: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(index, sort_keys=True).encode()).hexdigest()


def _header(pixel_bytes: int) -> bytes:
    """The .npy header of a flat uint8 array.

    NumPy pads headers, so that the final number of pixels fits in after they have been written.
    """
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (pixel_bytes,)})
    return header.getvalue()


class _Decoded(NamedTuple):
    pixels: NDArray[np.uint8]
    digest: str
    content: str
    sketch: Sketch


def _decoded(files: Sequence[PictureFile], image_size: int) -> Iterator[_Decoded | UnusablePicture]:
    """The picture of each file, or the reason for none, in order; a few files are decoded at a time."""

    def decode(file: PictureFile) -> _Decoded | UnusablePicture:
        try:
            pixels = read_picture(file.path, SIDE_IN_CROPS * image_size, image_size)
            content = _digest_of_file(file.path)
        except UnusablePicture as unusable:
            return unusable
        return _Decoded(pixels, digest_of(pixels), content, sketch_of(pixels))

    workers = min(4, os.cpu_count() or 1)
    under_way: deque[tuple[Future[_Decoded | UnusablePicture], int]] = deque()
    few = len(files) <= _PROGRESS_FROM
    pool = ThreadPoolExecutor(workers)
    with Progress("decoding pictures", len(files), "files", shown=not few) as progress:
        try:
            for file in files:
                pixels = pixels_to_decode(file.path)
                while under_way and (
                    len(under_way) >= 4 * workers or pixels + sum(more for _, more in under_way) > _PIXELS_AT_ONCE
                ):
                    yield under_way.popleft()[0].result()
                    progress.advance()
                under_way.append((pool.submit(decode, file), pixels))
            while under_way:
                yield under_way.popleft()[0].result()
                progress.advance()
        finally:
            pool.shutdown(cancel_futures=True)
