"""Formatting of numbers, counts and tables as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def number(value: float | None) -> str:
    """Three digits, or a whole number from 100 on; a dash for None."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 99.95 else f"{value:.3g}"


def count(amount: int, noun: str) -> str:
    """The amount and its noun, in the plural unless the amount is 1."""
    return f"{amount} {noun}{'' if amount == 1 else 's'}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 0) -> str:
    """A Markdown table; the first `left` columns are left-aligned, the others right-aligned."""
    rule = ["---"] * left + ["---:"] * (len(header) - left)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def one_line_each(lines: Sequence[Sequence[str]]) -> list[list[str]]:
    """The lines that begin with one name as one line, with their other cells one after the other."""
    of_name: dict[str, list[Sequence[str]]] = {}
    for name, *cells in lines:
        of_name.setdefault(name, []).append(cells)
    return [[name, *map(" · ".join, zip(*cells, strict=True))] for name, cells in of_name.items()]
