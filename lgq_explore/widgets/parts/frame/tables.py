"""Tables of numbers as a panel shows them."""

from __future__ import annotations

import html
from collections.abc import Mapping

import pandas as pd


def tables_as_html(*tables: pd.DataFrame, note: str = "") -> str:
    """The tables beside each other where there is room, with their indices as first columns, and a note below them."""
    parts = "".join(table.to_html(border=0, index_names=False, justify="left") for table in tables)
    below = f'<div class="lgq-tables-note">{html.escape(note)}</div>' if note else ""
    return f'<div class="lgq-tables">{parts}</div>{below}'


def numbers_in_full(numbers: Mapping[str, int | float | str]) -> pd.DataFrame:
    """One row per number: its name and its value, as a program reads them."""
    return pd.DataFrame({"number": list(numbers), "value": pd.Series([*numbers.values()], dtype=object)})


def as_read(numbers: pd.DataFrame) -> pd.DataFrame:
    """Such numbers with their names beside them, in as many digits as a reader wants."""
    return pd.DataFrame({"": [_digits(number) for number in numbers["value"]]}, index=numbers["number"].tolist())


def numbers_as_table(numbers: Mapping[str, int | float | str]) -> pd.DataFrame:
    """One row per number: its name, and it in digits, as a reader sees it."""
    return as_read(numbers_in_full(numbers))


def _digits(number: int | float | str) -> str:
    if isinstance(number, int):
        return f"{number:,d}"
    return f"{number:.4g}" if isinstance(number, float) else number
