"""The kinds of data SPEC, one file per kind.

`SOURCES` lists them by the name in front of the colon, for recipes and the command line.
"""

from __future__ import annotations

from ..source import SourceKind
from .fake import Fake
from .folder import Folder
from .photos import Photos

SOURCES: dict[str, SourceKind] = {
    "photos": Photos(),
    "folder": Folder(),
    "fake": Fake(),
}

__all__ = ["SOURCES", "Fake", "Folder", "Photos"]
