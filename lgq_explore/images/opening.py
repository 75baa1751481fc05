"""Opening a source of pictures by its data SPEC."""

from __future__ import annotations

import difflib
import os

from ..errors import InputError, printable
from .division import Division
from .picture_folders import TRAINING_FOLDER
from .source import Source, SourceKind
from .sources import SOURCES

SOURCES_OWN = Division()
"""No other split than that of the source."""


def open_source(
    spec: str, image_size: int, *, seed: int = 0, split: bool = True, division: Division = SOURCES_OWN
) -> Source:
    """The pictures that `spec` names (see `spec_forms`), in crops of `image_size` pixels.

    seed: of the random draws of `batch`. split: with False, all pictures are held out, and a single one is enough; this
    is for evaluating and encoding other pictures than those of training. division: into parts by content, in place of
    the source's own split.

    Raises:
        InputError: an unknown SPEC, or a source that can't be used or divided, such as a missing folder.
    """
    if image_size < 1:
        raise InputError(f"image size {image_size} is not a size: give a number of pixels, such as 32")
    kind, argument = _kind_of(spec)
    source = kind.open(kind.resolve(argument), image_size, seed=seed, split=split)
    return source.divided(division) if split and not division.is_the_sources_own else source


def resolve_spec(spec: str) -> str:
    """The SPEC that opens the same source from any working directory. Raises InputError if it is invalid."""
    kind, argument = _kind_of(spec)
    name, colon, _ = spec.partition(":")
    return f"{name}{colon}{kind.resolve(argument)}"


def spec_forms() -> dict[str, str]:
    """The forms of SPECs, each with a description of one line."""
    return {kind.form: kind.description for kind in SOURCES.values()}


def _kind_of(spec: str) -> tuple[SourceKind, str]:
    name, colon, argument = spec.partition(":")
    kind = SOURCES.get(name)
    if kind is None or (colon and ":" not in kind.form):
        raise InputError(f"unknown data {spec!r}: give one of {', '.join(spec_forms())}{_near_match(spec)}")
    return kind, argument


def _near_match(spec: str) -> str:
    """The end of a message about an unknown SPEC: a suggestion, or just a full stop."""
    folder = os.path.expanduser(spec)
    if os.path.isdir(folder):
        kind = "imagefolder" if os.path.isdir(os.path.join(folder, TRAINING_FOLDER)) else "folder"
        return f".\nDid you mean {kind}:{printable(spec)}?"
    name, colon, argument = spec.partition(":")
    near = difflib.get_close_matches(name.lower(), SOURCES, n=len(SOURCES))
    # Where an argument was given, a kind that takes one is meant.
    for kind in sorted(near, key=lambda kind: (":" in SOURCES[kind].form) != bool(colon)):
        return f".\nDid you mean {kind}{printable(f':{argument}') if ':' in SOURCES[kind].form else ''}?"
    return "."
