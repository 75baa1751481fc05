"""Folders of picture files: what lies in them, and which of it is held out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, printable
from .finding import FoundFiles, find_pictures
from .picture_files import PictureFiles, PictureFileSource
from .source import Skipped, one_picture
from .splits import groups_of, held_out_groups

TRAINING_FOLDER = "train"
HELD_OUT_FOLDERS = ("val", "validation", "valid")
"""The names of the held-out side beside TRAINING_FOLDER; the first that is there is taken."""


def pictures_in(folder: Path, within: Sequence[str] = ()) -> FoundFiles:
    """The picture files in `folder`, or in its subfolders `within` alone. Raises InputError if there are none."""
    found = find_pictures(folder, within)
    if not found.names:
        closed = printable(found.closed[0][0]) if found.closed else ""
        unread = f" that can be read ({closed} cannot)" if closed else ""
        raise InputError(
            f"no image file in {printable(folder)} or its subfolders{unread}: give a folder of JPEG, PNG or the like"
        )
    return found


def closed_folders(found: FoundFiles) -> tuple[Skipped, ...]:
    """The subfolders that could not be read, as skipped."""
    return tuple(Skipped(name, f"the folder cannot be read ({why})", passing=True) for name, why in found.closed)


def open_picture_files(spec: str, folder: Path, image_size: int, *, seed: int, split: bool) -> PictureFileSource:
    """The source of the picture files in `folder`, decoded when they are needed.

    If it has a folder `train` and one of HELD_OUT_FOLDERS, the one is trained on, the other is held out, and what lies
    beside them is left alone. Otherwise a quarter is held out by name, as in `photographs`. Copies under other names
    are not looked for, which would mean to decode all pictures; only hard links are known. With ``split=False`` all are
    held out.

    Raises:
        InputError: no picture in the folder, or on one side of the split.
    """
    held_out_folder = _held_out_folder(folder) if split else None
    found = pictures_in(folder, (TRAINING_FOLDER, held_out_folder) if held_out_folder else ())
    if not split:
        held_out = np.ones(len(found.names), dtype=bool)
    elif held_out_folder:
        held_out = np.array([not name.startswith(f"{TRAINING_FOLDER}/") for name in found.names])
    else:
        held_out = _held_out_by_name(spec, found)
    files = PictureFiles(folder, found.names, found.sizes)
    training = files.select(~held_out)
    # A hard link to a picture that is trained on is not held out.
    evaluation = files.select(held_out & ~np.isin(found.files, found.files[~held_out]))
    if held_out_folder:
        _require_pictures(training, TRAINING_FOLDER, held_out_folder)
        _require_pictures(evaluation, held_out_folder, TRAINING_FOLDER)
    return PictureFileSource(
        spec, image_size, seed=seed, training=training, evaluation=evaluation, skipped=closed_folders(found)
    )


def _held_out_folder(folder: Path) -> str | None:
    """The name of the folder that is held out; None where the folder is not divided."""
    there = [name for name in HELD_OUT_FOLDERS if os.path.isdir(folder / name)]
    return there[0] if there and os.path.isdir(folder / TRAINING_FOLDER) else None


def _require_pictures(files: PictureFiles, side: str, other: str) -> None:
    if not len(files):
        raise InputError(
            f"no image file in {printable(files.folder / side)} or its subfolders that is not in {other} as well.\n"
            f"Put pictures there, or give a folder that has no {TRAINING_FOLDER} and {HELD_OUT_FOLDERS[0]} in it."
        )


def _held_out_by_name(spec: str, found: FoundFiles) -> NDArray[np.bool_]:
    """Which files are held out, bool [N]. Raises InputError if they are all versions of one picture."""
    _, first, number = np.unique(found.files, return_index=True, return_inverse=True)
    links = np.stack([first[number], np.arange(len(found.files))], axis=1)
    groups = groups_of(found.names, links[links[:, 0] != links[:, 1]])
    held_out = held_out_groups(groups)
    if not held_out:
        raise one_picture(spec, found.names, len(found.closed))
    return np.array([group in held_out for group in groups])
