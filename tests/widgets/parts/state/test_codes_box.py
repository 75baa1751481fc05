"""Does the box of codes read what is typed, and write what is set?"""

from __future__ import annotations

from functools import partial

import ipywidgets
import pytest

from lgq_explore.analysis.code_rules import codes_by_rule
from lgq_explore.widgets.parts.state.codes_box import CodesBox


@pytest.fixture
def box() -> CodesBox:
    return CodesBox("codes:", partial(codes_by_rule, codebook_size=20, study=None))


def text_in(box: CodesBox) -> ipywidgets.Text:
    (found,) = [part for part in box.children if isinstance(part, ipywidgets.Text)]
    return found


def notice_in(box: CodesBox) -> str:
    (found,) = [part for part in box.children if isinstance(part, ipywidgets.HTML)]
    return found.value


def said_by(box: CodesBox) -> str:
    return notice_in(box).partition(">")[2].removesuffix("</span>")


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("3, 17", [3, 17]),
        ("17 3;3", [3, 17]),
        (" 0 ", [0]),
        ("", []),
        ("19,", [19]),
        ("3-6, 5, 17 – 19", [3, 4, 5, 6, 17, 18, 19]),
    ],
)
def test_what_is_typed_is_read(box: CodesBox, text: str, codes: list[int]) -> None:
    box.value = [1, 2]
    text_in(box).value = text
    assert box.value == codes
    assert said_by(box) == ("1 code" if len(codes) == 1 else f"{len(codes)} codes" if codes else "")


@pytest.mark.parametrize("text", ["cat", "3, 1.5", "20", "-1", "5-3", "17-20", "1-1000000000000", "dead", "3-9, …"])
def test_what_is_no_code_is_refused_with_a_reason(box: CodesBox, text: str) -> None:
    box.value = [1, 2]
    text_in(box).value = text
    assert box.value == [1, 2]
    assert "give" in notice_in(box)
    text_in(box).value = "4"
    assert box.value == [4]
    assert said_by(box) == "1 code"


def test_what_is_set_is_written(box: CodesBox) -> None:
    box.value = [3, 17]
    assert text_in(box).value == "3, 17"
    box.value = []
    assert text_in(box).value == ""


def test_a_reader_keeps_their_own_spelling(box: CodesBox) -> None:
    text_in(box).value = "17 3"
    assert text_in(box).value == "17 3"


def test_ranges_are_written_as_such_and_codes_are_counted(box: CodesBox) -> None:
    box.value = [0, *range(3, 10), 17, 18]
    assert text_in(box).value == "0, 3-9, 17, 18"
    assert said_by(box) == "10 codes"


def test_a_long_list_is_shortened_and_stays_what_it_is() -> None:
    box = CodesBox("codes:", partial(codes_by_rule, codebook_size=10_000, study=None))
    box.value = codes = list(range(0, 10_000, 2))
    assert text_in(box).value == "0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, …"
    assert said_by(box) == "5,000 codes"
    box.value = [3]
    box.value = codes
    text_in(box).value = "7, …"
    assert box.value == codes
