"""Tests of text that is safe to print in a message."""

from __future__ import annotations

from pathlib import Path

import pytest

from lgq_explore.errors import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("two\nlines\r\n\tthree\x0b\x0c", r"two\nlines\r\n\tthree\x0b\x0c"),
        ("bell\a null\0 delete\x7f", r"bell\x07 null\x00 delete\x7f"),
        ("C1 \x9b31m \x85", r"C1 \x9b31m \x85"),
        ("line\u2028paragraph\u2029", r"line\u2028paragraph\u2029"),
        ("right to left \u202egnp.exe", r"right to left \u202egnp.exe"),
        ("isolate \u2066\u2069 mark \u200f\u061c", r"isolate \u2066\u2069 mark \u200f\u061c"),
        ("caf\udce9.png", r"caf\udce9.png"),
        ("high \ud83d low", r"high \ud83d low"),
        ("invisible \ufeff\u200b", r"invisible \ufeff\u200b"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_as_escapes(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown
    shown.encode()  # any terminal of UTF-8 can print it


@pytest.mark.parametrize(
    "text",
    [
        "lake (1).png",
        r"C:\new\table.png",
        "café, cafe\u0301, 湖, озеро, بحيرة, 🏞, $x_1$ <b>",
        "Screenshot at 9.41\u202fAM.png",  # as macOS names them
        "می\u200cخواهم",
        "👩\u200d🔬",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


def test_anything_with_a_text_can_be_shown() -> None:
    assert printable(Path("runs/a\nb")) == r"runs/a\nb"
    assert printable(OSError("no\nspace")) == r"no\nspace"
