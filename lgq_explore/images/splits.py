"""Groups of pictures that show the same thing, and the held-out split."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .copies import connected

# Parts of a name that mark a version of a picture: its size, theme, shape, or side of a stereo pair. Sizes need three
# digits per side, because `tile_10x12` is a place and not a size.
_VARIANT = (
    r"(?:\d{3,5}\s*[x×]\s*\d{3,5}|\d{3,4}[pi]|[24568]k|[fuqw]*hd|@?[1-4](?:\.\d)?x"
    r"|dark|light|day|night|small|medium|large|orig(?:inal)?|scaled|resized"
    r"|thumb(?:nail)?s?|preview|portrait|landscape|vertical|horizontal"
    r"|mobile|phone|tablet|desktop|left|right)"
)
# GNOME ends names with -d and -l for dark and light; folders of one letter are more likely an alphabet.
_VARIANT_SUFFIX = re.compile(rf"(?:[\s._-]*[(\[]|[\s._-]+|(?=@))(?:{_VARIANT}|[dl])[)\]]?$", re.IGNORECASE)
_ONLY_VARIANT = re.compile(rf"[(\[]?{_VARIANT}(?:[)(\]\[\s._-]+{_VARIANT})*[)\]]?", re.IGNORECASE)
# The layout of a KDE wallpaper package: NAME/contents/images/1920x1080.png, NAME/contents/images_dark/…
_PACKAGE_FILE = re.compile(
    rf"(?P<package>.*?)/?contents/(?:images\w*/{_VARIANT}|screenshot|preview)\.\w+", re.IGNORECASE
)


def group_of(name: str) -> str:
    """The name that all versions of one picture share: `name` (a relative path) without the marks of a version.

    Size, theme, shape and side of a stereo pair are removed at the end of a file's name, and if they are all of a
    folder's name. The file's suffix, upper case, and the inner folders of a wallpaper package are removed, too:

    >>> group_of("lake_1280x720.jpg"), group_of("4k/Lake-d.png"), group_of("lake/contents/images/800x600.png")
    ('lake', 'lake', 'lake')
    """
    # Without pathlib, and with a look before the pattern: the names of ImageNet are more than a million.
    packaged = _PACKAGE_FILE.fullmatch(name) if "contents/" in name.lower() else None
    parent, slash, last = (packaged["package"] or "contents" if packaged else name).rpartition("/")
    dot = last.rfind(".")
    stem = last[:dot] if not packaged and 0 < dot < len(last) - 1 else last
    return f"{_without_variant_folders(parent + slash)}{_without_variant(stem)}".casefold()


def groups_of(names: Sequence[str], copies: NDArray[np.int64]) -> tuple[str, ...]:
    """The group of each picture by its name, merged with the groups of its copies.

    copies: pairs of indices into `names`, [N, 2]. A merged group has the first of its names.
    """
    by_name = [group_of(name) for name in names]
    firsts: dict[str, int] = {}
    same_name = [(firsts.setdefault(group, index), index) for index, group in enumerate(by_name)]
    joined = connected(len(names), np.concatenate([np.array(same_name, dtype=np.int64).reshape(-1, 2), copies]))
    labels: dict[int, str] = {}
    for index, group in zip(joined.tolist(), by_name, strict=True):
        labels[index] = min(group, labels.get(index, group))
    return tuple(labels[index] for index in joined.tolist())


def held_out_groups(groups: Iterable[str]) -> frozenset[str]:
    """A quarter of the groups, rounded, at least one and never all; none of fewer than two groups.

    They are the groups whose names have the lowest SHA-256. The choice depends on the names alone, so it is the same
    for every seed, machine and place of the folder, and adding a picture moves at most one other.
    """
    ranked = sorted(set(groups), key=_digest)
    quarter = max(1, (len(ranked) + 2) // 4)
    return frozenset(ranked[:quarter]) if len(ranked) > 1 else frozenset()


def _digest(group: str) -> bytes:
    # File names that are not valid UTF-8 contain surrogates, which strict encoding refuses.
    return hashlib.sha256(group.encode(errors="surrogateescape")).digest()


@lru_cache(maxsize=4096)
def _without_variant_folders(parent: str) -> str:
    """The folders of a name, each with its slash, without those that only mark a version."""
    return "".join(f"{folder}/" for folder in parent.split("/")[:-1] if not _ONLY_VARIANT.fullmatch(folder))


def _without_variant(stem: str) -> str:
    while (shorter := _VARIANT_SUFFIX.sub("", stem)) not in (stem, ""):
        stem = shorter
    return stem
