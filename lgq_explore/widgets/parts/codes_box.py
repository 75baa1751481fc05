"""A text box for numbers of codes."""

from __future__ import annotations

import html
import re
from typing import Any

import ipywidgets
import traitlets

from lgq_explore.analysis.codes import checked_codes
from lgq_explore.errors import InputError

SEPARATORS = re.compile(r"[,;\s]+")


class CodesBox(ipywidgets.HBox):
    """A box of text that reads "3, 17", and the trait `value` that is [3, 17]; either follows the other.

    label: what the codes are for. codebook_size: K; codes are 0 … K − 1, and others are refused with a sentence.
    """

    value = traitlets.List(traitlets.Int())

    def __init__(self, label: str, codebook_size: int) -> None:
        self._codebook_size = codebook_size
        self._text = ipywidgets.Text(
            description=label,
            placeholder="such as 3, 17, then Enter",
            continuous_update=False,
            style={"description_width": "initial"},
            layout={"width": "360px"},
        )
        self._notice = ipywidgets.HTML()
        super().__init__([self._text, self._notice])
        self._text.observe(self._read, "value")
        self.observe(self._write, "value")

    def __repr__(self) -> str:
        return f"CodesBox({self._text.description})"

    def _read(self, change: Any) -> None:
        try:
            codes = checked_codes(_numbers(change["new"]), self._codebook_size)
        except InputError as error:
            self._notice.value = f'<span role="status">{html.escape(str(error))}</span>'
            return
        self._notice.value = ""
        self.value = codes

    def _write(self, change: Any) -> None:
        if not _says(self._text.value, change["new"]):
            self._text.value = ", ".join(map(str, change["new"]))


def _numbers(text: str) -> list[int]:
    words = [word for word in SEPARATORS.split(text) if word]
    try:
        return [int(word) for word in words]
    except ValueError:
        raise InputError(f"{text!r} are no codes: give whole numbers, such as 3, 17") from None


def _says(text: str, codes: list[int]) -> bool:
    try:
        return sorted(set(_numbers(text))) == codes
    except InputError:
        return False
