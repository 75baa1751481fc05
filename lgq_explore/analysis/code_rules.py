"""Codes chosen by a rule: by their numbers, by how often they are used, or by their neighbours."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from typing import Any

from lgq_explore.errors import InputError
from lgq_explore.runs.study import Study

from .codes import checked_codes, numbered, parts_of
from .geometry import code_neighbours
from .usage import per_code

COMPARISONS: dict[str, Callable[[Any, int], Any]] = {
    ">=": operator.ge,
    "≥": operator.ge,
    "<=": operator.le,
    "≤": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}
HITS = re.compile(rf"hits\s*({'|'.join(COMPARISONS)})\s*(\d+)")
NEAREST = re.compile(r"nearest\s+(\d+)\s+to\s+(\d+)")
EXAMPLES = "3, 17-20, dead, hits > 5, nearest 8 to 17"


def codes_by_rule(text: str, codebook_size: int, study: Study | None) -> list[int]:
    """The joint codes that a text such as "3-9, dead" chooses: of each of its parts, ascending, each once.

    A part is a number, a range, `dead` (no token of the study holds it), `hits > 5` (more than 5 tokens do; also <, ≥,
    ≤ and =), or `nearest 8 to 17` (`analysis.geometry.code_neighbours` of code 17). Without a study, numbers and ranges
    only.

    Raises:
        InputError: a part that can't be read, or a code outside 0 … K − 1.
    """
    chosen = [code for part in parts_of(text) for code in _chosen(part.lower(), codebook_size, study)]
    return checked_codes(chosen, codebook_size)


def _chosen(part: str, codebook_size: int, study: Study | None) -> Iterable[int]:
    if study is not None:
        if part == "dead":
            return _with_hits(study, "=", 0)
        if hits := HITS.fullmatch(part):
            return _with_hits(study, hits[1], int(hits[2]))
        if (nearest := NEAREST.fullmatch(part)) and int(nearest[1]):
            neighbours = code_neighbours(study, [int(nearest[2])], neighbours=int(nearest[1]))
            return list(neighbours["neighbour"])
    try:
        named = numbered(part)
    except InputError:
        raise InputError(f"{part!r} chooses no codes: give numbers or rules, such as {EXAMPLES}") from None
    if isinstance(named, range):  # it may be far longer than the codebook, and its ends tell
        checked_codes([named[0], named[-1]], codebook_size)
    return named


def _with_hits(study: Study, comparison: str, hits: int) -> list[int]:
    usage = per_code(study)
    return list(usage.loc[COMPARISONS[comparison](usage["count"], hits), "code"])
