"""Which pictures does a data SPEC name?"""

from __future__ import annotations

import difflib
import importlib.util
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, printable
from .cache import SIDE_IN_CROPS, PictureFile, PreparedPictures, Skipped, digest_of, prepared_pictures
from .copies import sketch_of
from .decoding import find_pictures

DATA_SPECS = {
    "photos": "real photographs that scikit-image and scikit-learn ship, no download (default)",
    "folder:PATH": "any folder of images, searched through",
    "fake": "small drawn pictures, for tests",
}

# The colour photographs inside the wheels (credits: data/README.md). The other pictures of skimage.data are
# grey, drawn, cut from one of these, or not in the wheel but downloaded.
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
_DRAWN_PICTURES = 16


def resolve_spec(spec: str) -> str:
    """`spec` with a folder's path made absolute and ~ expanded, the same from any working directory.

    Raises:
        InputError: there is no such SPEC, or its folder is missing, a file, or not readable.
    """
    if spec in ("photos", "fake"):
        return spec
    kind, _, path = spec.partition(":")
    if kind != "folder":
        raise InputError(f"unknown data {spec!r}: give one of {', '.join(DATA_SPECS)}{_near_match(spec)}")
    if not path:
        raise InputError(f"data {spec!r} names no folder: give folder:PATH")
    folder = os.path.abspath(os.path.expanduser(path))
    shown = printable(folder)
    if os.path.isfile(folder):
        raise InputError(f"{shown} is a file: give the folder it lies in, folder:{os.path.dirname(shown)}")
    if not os.path.isdir(folder):
        raise InputError(f"there is no folder {shown}: give folder:PATH with the path of a folder of images")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise InputError(f"the folder {shown} cannot be read: change its permissions or give another one")
    return f"folder:{folder}"


def pictures_of(spec: str, image_size: int) -> PreparedPictures:
    """The pictures of a resolved SPEC, at least one, sorted by name, prepared for crops of `image_size`.

    Raises:
        InputError: nothing there can be used, or what is decoded cannot be kept.
    """
    if spec == "fake":
        return _drawn_pictures(image_size)
    if spec == "photos":
        prepared = prepared_pictures("photos", _shipped_photographs(), image_size)
    else:
        prepared = _pictures_of_folder(Path(spec.removeprefix("folder:")), image_size)
    if not prepared.names:
        count, first = len(prepared.skipped), prepared.skipped[0]
        raise InputError(
            f"{printable(spec)} has no usable picture, {count} skipped, the first {printable(first.name)}: "
            f"{printable(first.why)}.\n"
            f"Give whole image files of at least {image_size} pixels a side, or a smaller image size."
        )
    return prepared


def _near_match(spec: str) -> str:
    """What follows in a message about an unknown SPEC: what was probably meant, or nothing."""
    kind, _, path = spec.partition(":")
    if os.path.isdir(os.path.expanduser(spec)):
        return f".\nDid you mean folder:{printable(spec)}?"
    kinds = [known.partition(":")[0] for known in DATA_SPECS]
    for near in difflib.get_close_matches(kind.lower(), kinds, n=1):
        return f".\nDid you mean {printable(f'folder:{path}') if near == 'folder' else near}?"
    return "."


def _pictures_of_folder(folder: Path, image_size: int) -> PreparedPictures:
    found = find_pictures(folder)
    closed = tuple(Skipped(name, f"the folder cannot be read ({why})", passing=True) for name, why in found.closed)
    if not found.names:
        unread = f" that can be read ({printable(closed[0].name)} cannot)" if closed else ""
        raise InputError(
            f"no image file in {printable(folder)} or its subfolders{unread}: give a folder of JPEG, PNG or the like"
        )
    # Of the folder's name only what any file system takes; the hash after it tells folders of one name apart.
    safe_name = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in folder.name)
    files = [PictureFile(name, folder / name) for name in found.names]
    prepared = prepared_pictures(f"folder-{safe_name[:40]}", files, image_size)
    return replace(prepared, skipped=(*closed, *prepared.skipped))


def _shipped_photographs() -> list[PictureFile]:
    in_skimage = _package_folder("skimage", "scikit-image") / "data"
    in_sklearn = _package_folder("sklearn", "scikit-learn") / "datasets" / "images"
    paths = [in_skimage / name for name in _SKIMAGE_PHOTOGRAPHS]
    paths += [in_sklearn / name for name in _SKLEARN_PHOTOGRAPHS]
    return sorted((PictureFile(path.stem, path) for path in paths), key=lambda file: file.name)


def _package_folder(package: str, distribution: str) -> Path:
    found = importlib.util.find_spec(package)  # finds the folder without the seconds that importing takes
    if found is None or found.origin is None:
        raise InputError(f"data photos needs {distribution}, which is missing: pip install {distribution}")
    return Path(found.origin).parent


def _drawn_pictures(image_size: int) -> PreparedPictures:
    height = max(2 * image_size, min(SIDE_IN_CROPS * image_size, 128))
    pixels = tuple(_drawn_picture(number, height, height * 5 // 4) for number in range(_DRAWN_PICTURES))
    return PreparedPictures(
        names=tuple(f"fake-{number:02}" for number in range(_DRAWN_PICTURES)),
        pixels=pixels,
        digests=tuple(digest_of(picture) for picture in pixels),
        sketches=tuple(sketch_of(picture) for picture in pixels),
        skipped=(),
    )


def _drawn_picture(number: int, height: int, width: int) -> NDArray[np.uint8]:
    """A gradient between four corner colours under soft-edged ellipses, always the same: uint8 [H, W, 3]."""
    generator = np.random.Generator(np.random.Philox(key=number))
    down = np.linspace(0, 1, height)[:, None, None]
    across = np.linspace(0, 1, width)[None, :, None]
    top_left, top_right, bottom_left, bottom_right = generator.uniform(0, 255, (4, 3))
    top = (1 - across) * top_left + across * top_right
    bottom = (1 - across) * bottom_left + across * bottom_right
    picture = (1 - down) * top + down * bottom
    for _ in range(8):
        centre_down, centre_across = generator.uniform(0, 1, 2)
        radius_down, radius_across = generator.uniform(0.05, 0.3, 2)
        colour = generator.uniform(0, 255, 3)
        distance = np.hypot((down - centre_down) / radius_down, (across - centre_across) / radius_across)
        inside = np.clip((1 - distance) * 10 + 0.5, 0, 1)
        picture = picture * (1 - inside) + colour * inside
    return np.round(picture).astype(np.uint8)
