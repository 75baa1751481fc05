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


def said_by(box: CodesBox) -> str:
    (found,) = [part for part in box.children if isinstance(part, ipywidgets.HTML)]
    return found.value.partition(">")[2].removesuffix("</span>")


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
    assert box.problem is None


@pytest.mark.parametrize("text", ["cat", "3, 1.5", "20", "-1", "5-3", "17-20", "1-1000000000000", "dead", "3-9, …"])
def test_what_is_no_code_is_refused_with_a_reason(box: CodesBox, text: str) -> None:
    box.value = [1, 2]
    text_in(box).value = text
    assert box.value == [1, 2]
    assert "give" in str(box.problem)
    assert said_by(box) == "2 codes", "the count is of what holds, and takes no more room"
    assert "lgq-refused" in text_in(box)._dom_classes
    text_in(box).value = "4"
    assert box.value == [4]
    assert said_by(box) == "1 code"
    assert box.problem is None
    assert "lgq-refused" not in text_in(box)._dom_classes


@pytest.mark.parametrize("mended", ["1, 2", "1 2"])
def test_a_refusal_ends_with_the_codes_that_held_before(box: CodesBox, mended: str) -> None:
    box.value = [1, 2]
    text_in(box).value = "1, 2, cat"
    text_in(box).value = mended
    assert (box.value, box.problem) == ([1, 2], None)


def test_a_refused_text_gives_way_to_codes_from_elsewhere(box: CodesBox) -> None:
    text_in(box).value = "cat"
    box.value = [5]
    assert (text_in(box).value, box.problem) == ("5", None)


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


@pytest.mark.parametrize("codes", [list(range(0, 10_000, 2)), [*range(5_000), *range(5_001, 9_990, 3)]])
def test_a_long_list_stands_in_the_box_as_a_whole_and_can_be_edited(codes: list[int]) -> None:
    box = CodesBox("codes:", partial(codes_by_rule, codebook_size=10_000, study=None))
    box.value = codes
    assert said_by(box) == f"{len(codes):,d} codes"
    text_in(box).value += ", 9999"
    assert box.value == [*codes, 9999]
    text_in(box).value = text_in(box).value.removesuffix(", 9999")
    assert box.value == codes
