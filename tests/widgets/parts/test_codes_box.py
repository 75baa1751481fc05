"""Does the box of codes read what is typed, and write what is set?"""

from __future__ import annotations

import ipywidgets
import pytest

from lgq_explore.widgets.parts.codes_box import CodesBox


@pytest.fixture
def box() -> CodesBox:
    return CodesBox("codes:", codebook_size=20)


def text_in(box: CodesBox) -> ipywidgets.Text:
    (found,) = [part for part in box.children if isinstance(part, ipywidgets.Text)]
    return found


def notice_in(box: CodesBox) -> str:
    (found,) = [part for part in box.children if isinstance(part, ipywidgets.HTML)]
    return found.value


@pytest.mark.parametrize(
    ("text", "codes"),
    [("3, 17", [3, 17]), ("17 3;3", [3, 17]), (" 0 ", [0]), ("", []), ("19,", [19])],
)
def test_what_is_typed_is_read(box: CodesBox, text: str, codes: list[int]) -> None:
    box.value = [1, 2]
    text_in(box).value = text
    assert box.value == codes
    assert notice_in(box) == ""


@pytest.mark.parametrize("text", ["cat", "3, 1.5", "20", "-1", "3-5"])
def test_what_is_no_code_is_refused_with_a_reason(box: CodesBox, text: str) -> None:
    box.value = [1, 2]
    text_in(box).value = text
    assert box.value == [1, 2]
    assert "give" in notice_in(box)
    text_in(box).value = "4"
    assert box.value == [4]
    assert notice_in(box) == ""


def test_what_is_set_is_written(box: CodesBox) -> None:
    box.value = [3, 17]
    assert text_in(box).value == "3, 17"
    box.value = []
    assert text_in(box).value == ""


def test_a_reader_keeps_their_own_spelling(box: CodesBox) -> None:
    text_in(box).value = "17 3"
    assert text_in(box).value == "17 3"
