"""Any folder of images, searched through."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..cache import PictureFile, PreparedPictures, prepared_pictures
from ..finding import given_folder
from ..photographs import PhotographSource
from ..picture_folders import closed_folders, pictures_in
from ..source import SourceKind


class Folder(SourceKind):
    form = "folder:PATH"
    description = "any folder of images, searched through"

    def resolve(self, argument: str) -> str:
        return given_folder("folder", argument)

    def open(self, argument: str, image_size: int, *, seed: int, split: bool) -> PhotographSource:
        prepared = _pictures_of_folder(Path(argument), image_size)
        return PhotographSource.of(f"folder:{argument}", prepared, image_size, seed=seed, split=split)


def _pictures_of_folder(folder: Path, image_size: int) -> PreparedPictures:
    found = pictures_in(folder)
    # Only characters that every file system allows; the hash after them distinguishes folders of one name.
    safe_name = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in folder.name)
    files = [PictureFile(name, folder / name) for name in found.names]
    prepared = prepared_pictures(f"folder-{safe_name[:40]}", files, image_size)
    return replace(prepared, skipped=(*closed_folders(found), *prepared.skipped))
