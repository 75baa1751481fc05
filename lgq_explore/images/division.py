"""Division of photographs into those to train on, to tune on (validation) and to evaluate on (held out), by content.

A source has its own held-out pictures, chosen by their names (`splits`) or by folders. A comparison with tuning needs a
third part, and one that does not depend on names. Here the groups of pictures (versions and copies of one, `splits`)
are ranked by the SHA-256 of a seed and of their content. The lowest are held out, the next are for validation, and the
rest is trained on. So the parts are the same on every machine, for every image size and every seed of training.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import InputError, printable

TRAINING, VALIDATION, HELD_OUT = "training", "validation", "held out"
"""The names of the parts."""


@dataclass(frozen=True)
class Division:
    """The shares of the groups of pictures that are kept from training, and the seed of the hash that chooses them.

    validation: to choose settings on. held_out: to evaluate on; 0 leaves the source's own held-out pictures, and takes
    validation pictures from those that it trains on. Both 0: the source's own split.
    """

    validation: float = 0.0
    held_out: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("validation", "held_out"):
            share = getattr(self, name)
            if not (math.isfinite(share) and 0 <= share < 1):
                raise InputError(f"{name} is {share!r}: give a share of the pictures, from 0 to below 1")
        if self.validation + self.held_out >= 1:
            raise InputError(
                f"validation is {self.validation!r} and held_out {self.held_out!r}: their sum must be below 1, "
                "so that something is left to train on"
            )
        if self.seed < 0:
            raise InputError(f"seed is {self.seed!r}: it must not be negative")

    @property
    def is_the_sources_own(self) -> bool:
        """Whether nothing is divided anew."""
        return not (self.validation or self.held_out)


def parts_of(spec: str, groups: Sequence[str], contents: Sequence[str], division: Division) -> list[str]:
    """The part of each picture: TRAINING, VALIDATION or HELD_OUT.

    groups: of each picture; a group is in one part. contents: a digest of each picture.

    Raises InputError for so few groups that a part with a share has none.
    """
    first: dict[str, str] = {}
    for group, content in zip(groups, contents, strict=True):
        first[group] = min(content, first.get(group, content))
    ranked = sorted(first, key=lambda group: (_rank(first[group], division.seed), group))
    held_out, validation = (round(share * len(ranked)) for share in (division.held_out, division.validation))
    too_small = {"held_out": (division.held_out, held_out), "validation": (division.validation, validation)}
    for name, (share, count) in too_small.items():
        if share and not count:
            raise InputError(
                f"{name} is {share:g} of the {len(ranked)} pictures of {printable(spec)}, which is none of them: "
                "give a larger share, or more pictures"
            )
    if held_out + validation >= len(ranked):
        raise InputError(
            f"{printable(spec)} has {len(ranked)} pictures, of which {held_out} are held out and {validation} are for "
            "validation: nothing is left to train on; give smaller shares, or more pictures"
        )
    ends = dict.fromkeys(ranked[:held_out], HELD_OUT)
    ends |= dict.fromkeys(ranked[held_out : held_out + validation], VALIDATION)
    return [ends.get(group, TRAINING) for group in groups]


def divided_identity(identity: str, division: Division) -> str:
    """The identity of a source that is divided anew."""
    named = f"{identity} validation {division.validation!r} held out {division.held_out!r} seed {division.seed}"
    return hashlib.sha256(named.encode()).hexdigest()


def _rank(content: str, seed: int) -> bytes:
    # File names that are not valid UTF-8 contain surrogates, which strict encoding refuses.
    return hashlib.sha256(f"{seed} {content}".encode(errors="surrogateescape")).digest()
