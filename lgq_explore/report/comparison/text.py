"""A comparison as text for terminals, and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from lgq_explore import __version__
from lgq_explore.analysis.comparison import costs, own_settings, repetitions, tuned, unfairness
from lgq_explore.analysis.comparison.compare import Comparison
from lgq_explore.analysis.comparison.findings import findings, ledger_sentences
from lgq_explore.errors import printable
from lgq_explore.frames import json_rows

from .tables import Table, frechet_remark, frechet_sizes_table, numbers_table, ratios_table

WIDEST = 100
"""The most columns of text; longer lines are hard to read."""


def comparison_text(comparison: Comparison, width: int = WIDEST) -> str:
    """Tables of numbers, what was found, and the ledger in sentences, for a terminal of this width."""
    parts = [_lines(numbers_table(comparison.numbers, frechet_remark(comparison)), width)]
    for table in (ratios_table(comparison.ratios), frechet_sizes_table(comparison.frechet_sizes)):
        if table.rows:
            parts += ["", f"{table.title}:", _lines(table, width)]
    parts += ["", findings_text(comparison, width)]
    for heading, sentences in ledger_sentences(comparison).items():
        parts += ["", f"{heading}:", *(line for told in sentences for line in _wrapped(f"– {told}", width, "  "))]
    return "\n".join(parts)


def findings_text(comparison: Comparison, width: int = WIDEST) -> str:
    """What was found, as a paragraph for a terminal of this width."""
    return "\n".join(_wrapped(" ".join(findings(comparison)), width))


def comparison_json(comparison: Comparison, sweeps: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The comparison as JSON values.

    found: sentences. groups: an object each, with its runs and numbers. differences, ratios, frechet_sizes, curves,
    ledger: an object a row. unfair, tuned, costs, own_settings, repetitions: sentences of the ledger. sweeps: content
    of files by their paths.
    """
    grouped, frame = comparison.grouped, comparison.ledger
    return {
        "found": findings(comparison),
        "photographs": len(grouped.digests),
        "crops": int(grouped.crops.sum()),
        "groups": [
            {
                "name": group.name,
                "method": group.method,
                "codebook_size": group.codebook_size,
                "recipe_hash": group.runs[0].config.recipe_hash,
                "runs": [run.name for run in group.runs],
                "seeds": list(group.seeds),
                "numbers": _numbers(comparison.numbers[comparison.numbers["group"] == group.name]),
            }
            for group in grouped.groups
        ],
        "differences": json_rows(comparison.differences),
        "ratios": json_rows(comparison.ratios),
        "frechet_sizes": json_rows(comparison.frechet_sizes),
        "curves": json_rows(comparison.curves),
        "unfair": unfairness(frame),
        "tuned": tuned(frame),
        "costs": costs(frame),
        "own_settings": own_settings(frame),
        "repetitions": repetitions(frame),
        "ledger": json_rows(frame),
        "sweeps": dict(sweeps or {}),
        "lgq_explore": __version__,
    }


def _numbers(rows: pd.DataFrame) -> dict[str, dict[str, Any]]:
    columns = ("estimate", "spread", "low", "high", "level", "seeds", "photographs", "why")
    return {row["number"]: {name: row[name] for name in columns} for row in json_rows(rows)}


def _lines(table: Table, width: int) -> str:
    """A table in columns of the width of their longest cell, and its note for a terminal of this width."""
    cells = [[printable(cell) for cell in row] for row in (table.head, *table.rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join([*(_line(row, widths) for row in cells), *_wrapped(table.note, width)])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        cell.ljust(width) if place == 0 else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join([first, *others]).rstrip()


def _wrapped(words: str, width: int, indent: str = "") -> list[str]:
    return textwrap.wrap(
        words, max(40, min(width, WIDEST)), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
