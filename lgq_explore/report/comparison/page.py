"""The page of a comparison: one file that loads nothing, and runs nothing but its own script."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from lgq_explore.analysis.comparison import unfairness
from lgq_explore.analysis.comparison.compare import Comparison
from lgq_explore.analysis.comparison.findings import findings, ledger_sentences
from lgq_explore.errors import printable
from lgq_explore.runs.measures import DEFINITIONS

from .code_cards import CHART, CodeCards, code_cards
from .figures import ReportFigure, comparison_figures
from .gallery import Gallery, gallery
from .pictures import figure_uri
from .provenance import compare_command, defined_metrics, recipes, versions
from .tables import comparison_tables
from .terms import terms
from .writing import write_text, writing

MOST_GROUPS = 4
"""Groups of which codes and cells are shown: each adds some hundred kilobytes to the page."""


@dataclass(frozen=True, eq=False)
class ReportParts:
    """What a page shows besides the frames of a comparison. coded_runs: which ones have codes, in words."""

    figures: Sequence[ReportFigure]
    gallery: Gallery
    codes: Sequence[CodeCards]
    coded_runs: str


def report_parts(comparison: Comparison, pair: Sequence[str] = ()) -> ReportParts:
    """Figures, pictures and codes of one run of each group, the one of the lowest seed.

    pair: names of the two groups whose pictures stand side by side; by default the two of the highest PSNR.

    Raises:
        InputError: a pair that is no two groups of the comparison, or a run whose pictures can't be read any more.
    """
    first, second = comparison.pair(pair)
    studies = {group.name: comparison.study_of(group.name) for group in comparison.grouped.groups}
    shown = Gallery(why="There is one group: give runs of another method to see where they disagree.")
    if second:
        shown = gallery(comparison, (first, second), studies)
    coded = {name: each for name, each in studies.items() if each.quantizer.has_codes}
    return ReportParts(
        list(comparison_figures(comparison, studies)),
        shown,
        [code_cards(name, each) for name, each in list(coded.items())[:MOST_GROUPS]],
        comparison.runs_shown(coded) if coded else "",
    )


def write_page(path: Path, page: str) -> None:
    """Write a page, whole or not at all. Raises InputError if it can't be written."""
    with writing(path):
        write_text(path, page)


def comparison_page(comparison: Comparison, parts: ReportParts, sweeps: Mapping[str, str] | None = None) -> str:
    """The page as HTML. sweeps: content of the files of sweeps that the runs come from, by their paths."""
    style, script = _resource("page.css"), _resource("page.js")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"figure_uri": figure_uri, "printable": printable, "code": _code, "lines": _lines}
    return environment.from_string(_resource("page.html.j2")).render(
        style=style,
        script=script,
        allowed=f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}",
        title=_title(comparison),
        found=findings(comparison),
        runs=len(comparison.runs),
        unfair=unfairness(comparison.ledger_of_groups),
        sentences=ledger_sentences(comparison),
        tables=comparison_tables(comparison),
        parts=parts,
        chart=CHART,
        definitions=[DEFINITIONS[name] for name in defined_metrics(comparison)],
        terms=terms(comparison, parts.figures),
        versions=versions(),
        recipes=recipes(comparison),
        command=compare_command(comparison),
        sweeps=dict(sweeps or {}),
    )


def _code(text: str) -> Markup:
    """A text, escaped, whose parts in backticks are code."""
    parts = [escape(part) for part in text.split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if odd % 2 else part for odd, part in enumerate(parts)
    )


def _lines(cell: str, is_numeric: bool) -> str:
    """A number above its interval, its spread and its p-value, so that more columns find room."""
    return re.sub(r" (?=\[|± |p = )", "\n", cell) if is_numeric else cell


def _title(comparison: Comparison) -> str:
    methods = list(dict.fromkeys(group.method for group in comparison.grouped.groups))
    return "Comparison of " + ", ".join(map(printable, methods))


def _resource(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
