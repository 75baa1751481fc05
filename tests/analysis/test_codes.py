"""Are joint codes read from text and written as text, sorted, each kept once, and one outside the codebook refused?"""

from __future__ import annotations

import pytest

import lgq_explore as lgq
from lgq_explore.analysis.codes import as_text, checked_codes
from lgq_explore.errors import InputError


def test_codes_are_listed_once_and_in_order() -> None:
    assert checked_codes([7, 3, 7], 8) == [3, 7]
    assert checked_codes([], 8) == []
    for code in (-1, 8):
        with pytest.raises(InputError, match=f"code {code} is outside 0 … 7"):
            checked_codes([3, code], 8)


@pytest.mark.parametrize(
    ("text", "codes"),
    [("", []), ("17", [17]), ("3-9, 17", [3, 4, 5, 6, 7, 8, 9, 17]), ("9;3 4, 9", [3, 4, 9]), ("0 – 2", [0, 1, 2])],
)
def test_codes_are_read_from_text(text: str, codes: list[int]) -> None:
    assert lgq.codes(text) == codes
    assert lgq.codes(as_text(codes)) == codes


@pytest.mark.parametrize("text", ["cat", "3, x", "1.5", "-1", "9-3", "0-99999999999", "dead"])
def test_what_names_no_codes_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match="such as"):
        lgq.codes(text)


def test_two_neighbours_are_no_range() -> None:
    assert as_text([3, 4, 6, 7, 8, 20]) == "3, 4, 6-8, 20"
