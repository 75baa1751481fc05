"""Data sets that torchvision downloads, each in a folder of its own under ``data_directory()/"images"``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from lgq_explore.files import new_folder

from ..errors import InputError, printable
from ..folders import data_directory


def downloaded(name: str, dataset: Callable[..., Any]) -> Path:
    """The folder of the data set `name`, downloaded where it is not there yet, whole or not at all.

    dataset: called with the folder and ``download=True``; torchvision shows how far it is.

    Raises:
        InputError: no network, or no room; with torchvision's own message.
    """
    folder = data_directory() / "images" / name
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Another process may have downloaded it meanwhile.
        with suppress(FileExistsError), new_folder(folder) as target:
            dataset(target, download=True)
    except Exception as error:  # torchvision raises RuntimeError, and many more come from the network and the archive
        raise InputError(
            f"{name} can't be downloaded: {printable(error) or type(error).__name__}.\n"
            f"Try again with a network, or copy {printable(folder)} from a machine that has it."
        ) from error
    return folder
