"""Any folder of images, searched through."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from ...errors import InputError, printable
from ..cache import PictureFile, PreparedPictures, Skipped, prepared_pictures
from ..decoding import find_pictures
from ..photographs import PhotographSource
from ..source import SourceKind


class Folder(SourceKind):
    form = "folder:PATH"
    description = "any folder of images, searched through"

    def resolve(self, argument: str) -> str:
        """The path made absolute, with ~ expanded. Raises InputError where it is missing, a file, or not readable."""
        if not argument:
            raise InputError("data 'folder:' names no folder: give folder:PATH")
        folder = os.path.abspath(os.path.expanduser(argument))
        shown = printable(folder)
        if os.path.isfile(folder):
            raise InputError(f"{shown} is a file: give the folder it lies in, folder:{os.path.dirname(shown)}")
        if not os.path.isdir(folder):
            raise InputError(f"there is no folder {shown}.\nGive folder:PATH with the path of a folder of images.")
        if not os.access(folder, os.R_OK | os.X_OK):
            raise InputError(f"the folder {shown} cannot be read: change its permissions or give another one")
        return folder

    def open(self, argument: str, image_size: int, *, seed: int, split: bool) -> PhotographSource:
        prepared = _pictures_of_folder(Path(argument), image_size)
        return PhotographSource.of(f"folder:{argument}", prepared, image_size, seed=seed, split=split)


def _pictures_of_folder(folder: Path, image_size: int) -> PreparedPictures:
    found = find_pictures(folder)
    closed = tuple(Skipped(name, f"the folder cannot be read ({why})", passing=True) for name, why in found.closed)
    if not found.names:
        unread = f" that can be read ({printable(closed[0].name)} cannot)" if closed else ""
        raise InputError(
            f"no image file in {printable(folder)} or its subfolders{unread}: give a folder of JPEG, PNG or the like"
        )
    # Only characters that every file system allows; the hash after them distinguishes folders of one name.
    safe_name = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in folder.name)
    files = [PictureFile(name, folder / name) for name in found.names]
    prepared = prepared_pictures(f"folder-{safe_name[:40]}", files, image_size)
    return replace(prepared, skipped=(*closed, *prepared.skipped))
