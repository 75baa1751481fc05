"""A text box for codes: their numbers, or rules that choose them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets
import traitlets

from lgq_explore.analysis.codes import as_text
from lgq_explore.errors import InputError

from .unheard import unheard

COUNT_WIDTH = "82px"
"""Of "65,536 codes": what stands beside a box stays where it is, however many codes there are."""


class CodesBox(ipywidgets.HBox):
    """A box of text that reads "3, 17-19", and the trait `value` that is [3, 17, 18, 19]; either follows the other.

    The box always holds all of its codes, as ranges where they follow each other, so that what stands in it can be
    edited. What is longer than the box is cut by the page alone. Beside it stands how many codes there are.

    problem: why the text in the box chooses no codes; None where it means `value`.

    label: what the codes are for. read: makes codes of a text, and raises InputError for one that chooses none
    (`analysis.code_rules.codes_by_rule`).
    """

    value = traitlets.List(traitlets.Int())
    problem = traitlets.Instance(InputError, allow_none=True)

    def __init__(self, label: str, read: Callable[[str], list[int]], width: str = "360px") -> None:
        self._read = read
        self._meant: list[int] | None = []  # what the text in the box means; None where it means nothing
        self._text = ipywidgets.Text(
            description=label,
            placeholder="3, 17-20, dead, hits > 5, nearest 8 to 17",
            continuous_update=False,
            style={"description_width": "initial"},
            layout={"width": width},
        )
        self._count = ipywidgets.HTML(layout={"width": COUNT_WIDTH})
        super().__init__([self._text, self._count])
        self._text.observe(self._take, "value")
        self.observe(self._write, "value")
        self.observe(self._mark, "problem")

    def __repr__(self) -> str:
        return f"CodesBox({self._text.description})"

    def _take(self, change: Any) -> None:
        """What was typed becomes the value, in the reader's own spelling."""
        try:
            self._meant, problem = self._read(change["new"]), None
        except InputError as error:
            self._meant, problem = None, error
        if self._meant is not None:
            self.value = self._meant
            self._show_count()
        self.problem = problem

    def _write(self, change: Any) -> None:
        if change["new"] != self._meant:
            self._meant = list(change["new"])
            with unheard(self._text, self._take):
                self._text.value = as_text(self._meant)
            self.problem = None
        self._show_count()

    def _mark(self, change: Any) -> None:
        self._text.remove_class("lgq-refused") if self.problem is None else self._text.add_class("lgq-refused")

    def _show_count(self) -> None:
        says_nothing = not self.value and not self._text.value.strip()
        self._count.value = "" if says_nothing else f'<span role="status">{counted(self.value)}</span>'


def counted(codes: list[int]) -> str:
    """How many codes there are, in words."""
    return f"{len(codes):,d} code{'' if len(codes) == 1 else 's'}"
