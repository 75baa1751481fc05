"""The text that filters runs: words, and conditions such as `method=lgq seed=0 psnr_db>22`."""

from __future__ import annotations

import math
import operator
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lgq_explore.errors import InputError, near_matches, printable
from lgq_explore.frames.comparison import HELD_OUT, RUNS

from .columns import COLUMNS, IS_TEXT, NUMBERS

_CONDITION = re.compile(r"(?P<column>[A-Za-z_]+)(?P<sign>!=|<=|>=|=|<|>)(?P<value>.*)", re.DOTALL)
_SIGNS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_NAMES = {name: name for name in RUNS.described} | {column.label.lower(): name for name, column in COLUMNS.items()}
"""What a condition may call a column: its name in the frame, or its head in the table."""

WORDS_IN = ("run", "method", "data", "remark")


@dataclass(frozen=True)
class Condition:
    """One condition on a run's row: `column sign value`, or a word that is looked for in several columns."""

    column: str
    sign: str
    value: str

    def holds(self, runs: pd.DataFrame) -> pd.Series:
        """Whether it holds, for each row. A number that is missing fulfils no condition."""
        if not self.column:
            texts = runs[list(WORDS_IN)].agg(" ".join, axis=1) if len(runs) else runs["run"]
            return texts.str.contains(self.value, case=False, regex=False)
        values, asked = runs[self.column], self.value
        if self.column in IS_TEXT:
            return _SIGNS[self.sign](values.str.lower(), asked.lower())
        if self.column == "begun":
            # Compared as written: 2026-11 is a beginning of each of its days.
            days = values.dt.strftime("%Y-%m-%d %H:%M").fillna("").str.slice(stop=len(asked))
            return (days != "") & _SIGNS[self.sign](days, asked)
        numbers = values.astype("float64")
        return numbers.notna() & _SIGNS[self.sign](numbers, float(asked))


def conditions(text: str) -> list[Condition]:
    """The conditions in a text, all of which must hold.

    A word is looked for in the run's name, method, data and remark, whatever its case. `column=value` (or != < <= > >=)
    compares a column, named as in the frame or as in its head. Quotation marks hold a value with spaces together.

    Raises:
        InputError: an unknown column, a value that is no number where one is needed, or an open quotation mark.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InputError(f"{text!r} is no filter: close its quotation mark") from error
    return [_condition(word) for word in words]


def filtered(runs: pd.DataFrame, text: str) -> pd.DataFrame:
    """The rows of `runs_in` that fulfil a text of conditions; all for an empty one. Raises InputError."""
    for condition in conditions(text):
        runs = runs[condition.holds(runs)]
    return runs


def why_none(runs: pd.DataFrame, text: str) -> str:
    """Why no run fulfils the conditions: a number that none of them has, or that they don't match."""
    for condition in conditions(text):
        if condition.column in NUMBERS and runs[condition.column].isna().all():
            remedy = ": evaluate them" if condition.column in HELD_OUT else ""
            return f"no run has a value for {COLUMNS[condition.column].label}{remedy}"
    return f"no run matches {printable(text)}"


def _condition(word: str) -> Condition:
    match = _CONDITION.fullmatch(word)
    if not match:
        return Condition("", "", word)
    called, sign, value = match["column"].lower(), match["sign"], match["value"]
    if called not in _NAMES:
        near = near_matches(called, _NAMES, most=1)
        heads = ", ".join(each.label for each in COLUMNS.values())
        raise InputError(f"there is no column {printable(called)!r}{near}: choose one of {heads}")
    column = _NAMES[called]
    if RUNS.described[column][0] not in ("str", "datetime64[s]") and not _is_number(value):
        raise InputError(f"{printable(word)!r} compares no number: give a number, such as {called}{sign}1")
    return Condition(column, sign, value)


def _is_number(text: str) -> bool:
    try:
        return not math.isnan(float(text))
    except ValueError:
        return False
