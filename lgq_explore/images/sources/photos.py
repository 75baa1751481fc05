"""Real photographs that ship with scikit-image and scikit-learn, without a download."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from ...errors import InputError
from ..cache import PictureFile, prepared_pictures
from ..photographs import PhotographSource
from ..source import SourceKind

# The colour photographs in the wheels (credits: data/README.md). The other pictures of skimage.data are grey, drawn,
# cropped from one of these, or downloaded.
_SKIMAGE_PHOTOGRAPHS = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "motorcycle_left.png",
    "motorcycle_right.png",
    "retina.jpg",
    "rocket.jpg",
)
_SKLEARN_PHOTOGRAPHS = ("china.jpg", "flower.jpg")


class Photos(SourceKind):
    form = "photos"
    description = "real photographs that scikit-image and scikit-learn ship, no download (default)"

    def open(self, argument: str, image_size: int, *, seed: int, split: bool) -> PhotographSource:
        prepared = prepared_pictures("photos", _shipped_photographs(), image_size)
        return PhotographSource.of("photos", prepared, image_size, seed=seed, split=split)


def _shipped_photographs() -> list[PictureFile]:
    in_skimage = _package_folder("skimage", "scikit-image") / "data"
    in_sklearn = _package_folder("sklearn", "scikit-learn") / "datasets" / "images"
    paths = [in_skimage / name for name in _SKIMAGE_PHOTOGRAPHS]
    paths += [in_sklearn / name for name in _SKLEARN_PHOTOGRAPHS]
    return sorted((PictureFile(path.stem, path) for path in paths), key=lambda file: file.name)


def _package_folder(package: str, distribution: str) -> Path:
    found = importlib.util.find_spec(package)  # finds the folder without importing the package, which takes seconds
    if found is None or found.origin is None:
        raise InputError(f"data photos needs {distribution}, which is missing: pip install {distribution}")
    return Path(found.origin).parent
