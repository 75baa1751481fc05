"""The picture files in a folder and its subfolders, found without opening any of them."""

from __future__ import annotations

import os
import stat
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, printable

# fmt: off
PICTURE_SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".avif", ".gif", ".bmp", ".dib",
    ".tif", ".tiff", ".tga", ".qoi", ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k",
})
# Formats of phones and cameras, which are reported as skipped; a folder of them would otherwise look empty.
FOREIGN_SUFFIXES = frozenset({
    ".heic", ".heif", ".jxl", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2",
})
# fmt: on
_SUFFIXES = PICTURE_SUFFIXES | FOREIGN_SUFFIXES


@dataclass(frozen=True, eq=False)
class FoundFiles:
    """Files with the suffix of a picture in a searched folder, N of them, sorted by name.

    names: relative to the folder. sizes: int64 [N], in bytes; −1 where it is unknown. files: int64 [N], equal for names
    of one file (hard links). closed: names of unreadable subfolders, sorted, with the reasons.
    """

    names: tuple[str, ...]
    sizes: NDArray[np.int64]
    files: NDArray[np.int64]
    closed: tuple[tuple[str, str], ...]


def given_folder(kind: str, argument: str) -> str:
    """The folder in a data SPEC `kind:argument` as an absolute path, with ~ expanded.

    Raises InputError where it is missing, a file, or not readable.
    """
    if not argument:
        raise InputError(f"data '{kind}:' names no folder: give {kind}:PATH")
    folder = os.path.abspath(os.path.expanduser(argument))
    shown = printable(folder)
    if os.path.isfile(folder):
        raise InputError(f"{shown} is a file: give the folder it lies in, {kind}:{os.path.dirname(shown)}")
    if not os.path.isdir(folder):
        raise InputError(f"there is no folder {shown}.\nGive {kind}:PATH with the path of a folder of images.")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise InputError(f"the folder {shown} cannot be read: change its permissions or give another one")
    return folder


def find_pictures(folder: Path, within: Sequence[str] = ()) -> FoundFiles:
    """All files in `folder`, or in its subfolders `within` alone, with the suffix of a picture.

    Searches subfolders and follows links, but takes each real folder once, and a file that links lead to once: a
    picture under two names could be trained on under one and held out under the other. Hidden files and folders are
    ignored. It asks the system for each file's size and opens none, which takes seconds for a million files.
    """
    search = _Search(folder)
    search.run([f"{name}/" for name in within] or [""])
    return search.result()


@dataclass
class _Search:
    """A search under way. The columns have one entry per file; 10⁶ files would take too much memory as objects."""

    folder: Path
    names: list[str] = field(default_factory=list)
    sizes: array[int] = field(default_factory=lambda: array("q"))
    devices: array[int] = field(default_factory=lambda: array("Q"))
    inodes: array[int] = field(default_factory=lambda: array("Q"))
    is_link: bytearray = field(default_factory=bytearray)
    closed: dict[str, str] = field(default_factory=dict)

    def run(self, prefixes: Sequence[str]) -> None:
        """Search the folders at `prefixes`, which are relative to the folder, with a slash at the end of each."""
        seen: set[tuple[int, int]] = set()
        to_search = sorted(prefixes, reverse=True)
        while to_search:
            prefix = to_search.pop()
            try:
                status = os.stat(self.folder / prefix)
                if (status.st_dev, status.st_ino) in seen:
                    continue
                seen.add((status.st_dev, status.st_ino))
                subfolders = list(self._files_of(prefix))
            except OSError as error:
                self.closed[prefix.rstrip("/") or "."] = error.strerror or str(error)
                continue
            # In order of their names, so that the same of two links to one folder is taken on every machine.
            to_search += sorted(subfolders, reverse=True)

    def _files_of(self, prefix: str) -> Iterator[str]:
        """Take the files of one folder; yields its subfolders."""
        with os.scandir(self.folder / prefix) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if _is_folder(entry):
                    yield f"{prefix}{entry.name}/"
                elif os.path.splitext(entry.name)[1].lower() in _SUFFIXES:
                    self._take(entry, f"{prefix}{entry.name}")

    def _take(self, entry: os.DirEntry[str], name: str) -> None:
        size, device, inode = -1, 2**64 - 1, len(self.names)  # one of its own: reading it will report why
        try:
            status = entry.stat()
        except OSError:
            pass
        else:
            if not stat.S_ISREG(status.st_mode):
                return
            size, device, inode = status.st_size, status.st_dev, status.st_ino
        self.names.append(name)
        self.sizes.append(size)
        self.devices.append(device)
        self.inodes.append(inode)
        self.is_link.append(entry.is_symlink())

    def result(self) -> FoundFiles:
        order = sorted(range(len(self.names)), key=self.names.__getitem__)
        place = np.array(order, dtype=np.int64)
        files = _numbered(np.array(self.devices, dtype=np.uint64)[place], np.array(self.inodes, dtype=np.uint64)[place])
        kept = _without_further_links(files, np.frombuffer(bytes(self.is_link), dtype=np.bool_)[place])
        return FoundFiles(
            names=tuple(self.names[order[index]] for index in kept.tolist()),
            sizes=np.array(self.sizes, dtype=np.int64)[place][kept],
            files=files[kept],
            closed=tuple(sorted(self.closed.items())),
        )


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _numbered(devices: NDArray[np.uint64], inodes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The same number for the same file, int64 [N]."""
    order = np.lexsort((inodes, devices))
    is_new = np.ones(len(order), dtype=bool)
    is_new[1:] = (np.diff(inodes[order]) != 0) | (np.diff(devices[order]) != 0)
    numbers = np.empty(len(order), dtype=np.int64)
    numbers[order] = np.cumsum(is_new)
    return numbers


def _without_further_links(files: NDArray[np.int64], is_link: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Indices of the names to keep: all that are no links, and the first link to each file without another name."""
    links = np.flatnonzero(is_link)
    linked, first = np.unique(files[links], return_index=True)
    only_linked = ~np.isin(linked, files[~is_link])
    return np.sort(np.concatenate([np.flatnonzero(~is_link), links[first[only_linked]]]))
