"""The kinds of data SPEC, one file per kind.

`SOURCES` lists them by the name in front of the colon, for recipes and the command line.
"""

from __future__ import annotations

from ..source import SourceKind
from .cifar10 import Cifar10
from .fake import Fake
from .folder import Folder
from .imagefolder import ImageFolder
from .imagenette import Imagenette
from .photos import Photos

SOURCES: dict[str, SourceKind] = {
    "photos": Photos(),
    "folder": Folder(),
    "imagefolder": ImageFolder(),
    "cifar10": Cifar10(),
    "imagenette": Imagenette(),
    "fake": Fake(),
}

__all__ = ["SOURCES", "Cifar10", "Fake", "Folder", "ImageFolder", "Imagenette", "Photos"]
