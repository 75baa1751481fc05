"""A text box for codes: their numbers, or rules that choose them."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import ipywidgets
import traitlets

from lgq_explore.analysis.codes import as_text
from lgq_explore.errors import InputError

MOST_LETTERS = 48
"""Longest text of codes that is written out in the box."""


class CodesBox(ipywidgets.HBox):
    """A box of text that reads "3, 17-19", and the trait `value` that is [3, 17, 18, 19]; either follows the other.

    Beside it stands how many codes there are, or why a text was refused. label: what the codes are for. read: makes
    codes of a text, and raises InputError for one that chooses none (`analysis.code_rules.codes_by_rule`).
    """

    value = traitlets.List(traitlets.Int())

    def __init__(self, label: str, read: Callable[[str], list[int]], width: str = "360px") -> None:
        self._codes_of = read
        self._text = ipywidgets.Text(
            description=label,
            placeholder="3, 17-20, dead, hits > 5, nearest 8 to 17",
            continuous_update=False,
            style={"description_width": "initial"},
            layout={"width": width},
        )
        self._notice = ipywidgets.HTML()
        super().__init__([self._text, self._notice])
        self._text.observe(self._read, "value")
        self.observe(self._write, "value")

    def __repr__(self) -> str:
        return f"CodesBox({self._text.description})"

    def _read(self, change: Any) -> None:
        if change["new"] == shortened(self.value):
            return
        try:
            codes = self._codes_of(change["new"])
        except InputError as error:
            self._say(str(error))
            return
        self.value = codes
        self._say(counted(codes))

    def _write(self, change: Any) -> None:
        self._say(counted(change["new"]))
        if not self._reads(change["new"]):
            self._text.value = shortened(change["new"])

    def _reads(self, codes: list[int]) -> bool:
        """Whether the box says these codes already, in the reader's own spelling."""
        try:
            return self._codes_of(self._text.value) == codes
        except InputError:
            return False

    def _say(self, sentence: str) -> None:
        self._notice.value = (
            f'<span role="status" style="white-space: nowrap">{html.escape(sentence)}</span>' if sentence else ""
        )


def counted(codes: list[int]) -> str:
    """How many codes there are, in words; nothing where there are none."""
    return f"{len(codes):,d} code{'s' * (len(codes) > 1)}" if codes else ""


def shortened(codes: list[int]) -> str:
    """The codes as text, the last ones left out where there are too many for a box."""
    text = as_text(codes)
    if len(text) <= MOST_LETTERS:
        return text
    return text[: text.rindex(",", 0, MOST_LETTERS) + 1] + " …"
