"""A folder like ImageNet's, of any size, decoded while training goes on."""

from __future__ import annotations

from pathlib import Path

from ..finding import given_folder
from ..picture_files import PictureFileSource
from ..picture_folders import open_picture_files
from ..source import SourceKind


class ImageFolder(SourceKind):
    form = "imagefolder:PATH"
    description = "a folder like ImageNet's, of any size: train/ and val/ kept apart, decoded while it trains"

    def resolve(self, argument: str) -> str:
        return given_folder("imagefolder", argument)

    def open(self, argument: str, image_size: int, *, seed: int, split: bool) -> PictureFileSource:
        return open_picture_files(f"imagefolder:{argument}", Path(argument), image_size, seed=seed, split=split)
