"""Joint codes given by a user: read from text, checked, and written as text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby

from lgq_explore.errors import InputError

SEPARATOR = re.compile(r"[,;]")
NUMBERS = re.compile(r"\d+(\s+\d+)*")
RANGE = re.compile(r"(\d+)\s*[-–…]\s*(\d+)")
MOST_CODES = 2**22
"""Most codes that a text may name: a slip such as 1-10000000000 would fill the memory."""


def codes(text: str) -> list[int]:
    """The joint codes that a text such as "3-9, 17" names, ascending, each once.

    Raises:
        InputError: a part of the text is neither a number nor a range.
    """
    return sorted({code for part in parts_of(text) for code in numbered(part)})


def parts_of(text: str) -> list[str]:
    """What stands between the commas."""
    return [part for part in map(str.strip, SEPARATOR.split(text)) if part]


def numbered(part: str) -> Iterable[int]:
    """The codes of one part: a number, several with spaces between, or a range with both its ends."""
    if NUMBERS.fullmatch(part):
        return map(int, part.split())
    ends = RANGE.fullmatch(part)
    if not ends:
        raise InputError(f"{part!r} is no code: give whole numbers and ranges, such as 3, 17-20")
    first, last = map(int, ends.groups())
    if not 0 <= last - first < MOST_CODES:
        raise InputError(f"{part!r} is no range of codes: give the first and the last, such as 17-20")
    return range(first, last + 1)


def as_text(codes: Iterable[int]) -> str:
    """Ascending codes as text that `codes` reads: "3-9, 17"."""
    runs = [[code for _, code in run] for _, run in groupby(enumerate(codes), lambda place: place[1] - place[0])]
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)


def checked_codes(codes: Iterable[int], codebook_size: int) -> list[int]:
    """Joint codes, ascending, each once. Raises InputError for one outside 0 … K − 1."""
    distinct = sorted(set(codes))
    for code in distinct:
        if not 0 <= code < codebook_size:
            raise InputError(f"code {code} is outside 0 … {codebook_size - 1}: give joint codes of this codebook")
    return distinct
