"""What a comparison says in words and in small tables, as HTML in which every name is text."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from lgq_explore.analysis.comparison import findings, unfairness
from lgq_explore.analysis.comparison.at_equal_bits import why_no_bits
from lgq_explore.analysis.comparison.compare import Comparison
from lgq_explore.analysis.comparison.findings import ledger_sentences
from lgq_explore.errors import printable
from lgq_explore.frames.comparison import LEDGER_FIELDS
from lgq_explore.frames.quantities import QUANTITIES, estimate_text, interval_text

from ..parts.frame.tables import tables_as_html
from ..parts.state.inputs import DIGITS

FAIR = "Nothing was found that makes it unfair: the same pictures, budget, schedule, evaluation and versions."
PSNR = QUANTITIES["psnr_db"]


@dataclass(frozen=True)
class Said:
    """What is said of a comparison, as HTML.

    words: the findings, and the ledger's sentences by their headings. ledger: itself, folded. why_no_bits: why nothing
    can be read at equal bits, a sentence; empty where something can.
    """

    words: str
    ledger: str
    why_no_bits: str


def said_of(comparison: Comparison) -> Said:
    """What is said of a comparison."""
    return Said(_words(comparison), _ledger(comparison), why_no_bits(comparison.grouped))


def paragraph(said: str) -> str:
    """A paragraph of a panel."""
    return f'<div class="lgq-words"><p>{_text(said)}</p></div>'


def _words(comparison: Comparison) -> str:
    unfair = [] if unfairness(comparison.ledger_of_groups) else [f"<p>{FAIR}</p>"]
    sections = [
        f"<h4>{_text(heading)}</h4>{_listed(sentences)}" for heading, sentences in ledger_sentences(comparison).items()
    ]
    return (
        '<div class="lgq-words" role="region" aria-label="Findings" tabindex="0">'
        f"<p>{_text(' '.join(findings(comparison)))}</p>"
        f"{''.join([*unfair, *sections])}</div>"
    )


def _ledger(comparison: Comparison) -> str:
    frame = comparison.ledger_of_groups.sort_values("differs", ascending=False, kind="stable")
    groups = [name for name in frame.columns if name not in LEDGER_FIELDS]
    shown = frame.assign(differs=frame["differs"].map({True: "yes", False: "no"}))
    shown = shown.map(printable).rename(columns={name: printable(name) for name in groups}).set_index("field")
    summary = f"All {len(frame)} fields that were compared"
    table = f'<div class="lgq-scrolled">{tables_as_html(shown)}</div>'
    return f'<details class="lgq-folded"><summary>{summary}</summary>{table}</details>'


def at_bits_in_words(frame: pd.DataFrame, numbers: pd.DataFrame) -> str:
    """The methods at equal bits as a table, the best first, and below it what is said of them.

    frame: of `analysis.comparison.at_equal_bits`. numbers: of `group_numbers`, for methods without codes.
    """
    known = frame.dropna(subset="psnr_db").sort_values("psnr_db", ascending=False)
    rows = {
        printable(row["method"]): {
            "PSNR there": estimate_text(PSNR, row["psnr_db"], row["psnr_low"], row["psnr_high"]),
            "minus the best one's": _difference(row),
        }
        for _, row in known.iterrows()
    }
    free = numbers[(numbers["number"] == "psnr_db") & (numbers["codebook_size"] == 0)].dropna(subset="estimate")
    for _, row in free.iterrows():
        value = estimate_text(PSNR, row["estimate"], row["low"], row["high"])
        rows[printable(row["group"])] = {"PSNR there": value, "minus the best one's": "no codes: it has no bits"}
    bits = f"{frame['entropy_bits'].iloc[0]:.{DIGITS}f}" if len(frame) else ""
    note = " ".join([*_left_out(frame), *_points_alone(known)])
    table = pd.DataFrame.from_dict(rows, orient="index")
    heading = f"<b>At {bits} bits per token</b>" if bits else ""
    return f"{heading}{tables_as_html(table, note=note)}" if rows else f"{heading}<p>{_text(note)}</p>"


def _difference(row: pd.Series) -> str:
    if not math.isfinite(row["difference"]):
        return "the best here"
    interval = interval_text(PSNR, row["low"], row["high"], signed=True)
    return f"{PSNR.value(row['difference'], signed=True)} dB {interval}".strip()


def _left_out(frame: pd.DataFrame) -> Iterable[str]:
    left = frame[frame["psnr_db"].isna()]
    return [f"{printable(row['method'])}: {row['why']}" for _, row in left.iterrows()]


def _points_alone(known: pd.DataFrame) -> Iterable[str]:
    """Why there are no intervals, for the fewest seeds."""
    return known[known["why"] != ""].sort_values("seeds", kind="stable")["why"].head(1)


def _listed(sentences: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{_text(sentence)}</li>' for sentence in sentences)}</ul>"


def _text(said: str) -> str:
    return html.escape(printable(said))
