"""Verdicts as HTML: one run in words, several side by side."""

from __future__ import annotations

import html
from collections.abc import Mapping

import pandas as pd

from lgq_explore.plots.health import STATE_LOOKS

STYLE = """<style>
.lgq-health { width: 100%; border-collapse: collapse; line-height: 1.45; }
.lgq-health caption { text-align: left; font-weight: bold; padding: 4px 0; color: inherit; }
.lgq-health th, .lgq-health td { text-align: left; vertical-align: top; font-weight: normal; }
.lgq-health th, .lgq-health td { padding: 4px 16px 4px 8px; }
.lgq-health thead th { font-weight: bold; }
.lgq-health tbody tr { border-top: 1px solid var(--jp-border-color2, #ddd); }
.lgq-health .lgq-state { white-space: nowrap; border-left: 5px solid; }
.lgq-health .lgq-state span { color: var(--jp-ui-font-color1, #222); }
.lgq-health .lgq-rule { font-weight: bold; min-width: 9em; }
.lgq-health code { user-select: all; overflow-wrap: anywhere; }
</style>"""


def verdict_table(verdicts: pd.DataFrame, heading: str) -> str:
    """One row per rule as HTML: its state by symbol and word, the rule, what is happening, what to change."""
    rows = "".join(
        f"<tr>{_state_cell(row['state'])}<th scope='row' class='lgq-rule'>{html.escape(row['rule'])}?</th>"
        f"<td>{html.escape(row['finding'])}{_advice(row)}</td></tr>"
        for row in verdicts.to_dict("records")
    )
    return f"{STYLE}<table class='lgq-health'><caption>{html.escape(heading)}</caption><tbody>{rows}</tbody></table>"


def overview_table(verdicts: Mapping[str, pd.DataFrame]) -> str:
    """One row per rule, the most severe in any run first, one column per run, as HTML: states by symbol and word."""
    states = {run: frame.set_index("rule")["state"] for run, frame in verdicts.items()}
    severity = pd.DataFrame({run: of_run.map(list(STATE_LOOKS).index) for run, of_run in states.items()}).min(axis=1)
    rules = severity.sort_values(kind="stable").index
    head = "".join(f"<th scope='col'>{html.escape(run)}</th>" for run in states)
    cells = {rule: "".join(_state_cell(of_run[rule]) for of_run in states.values()) for rule in rules}
    rows = "".join(f"<tr><th scope='row'>{html.escape(rule)}?</th>{cells[rule]}</tr>" for rule in rules)
    table = f"<thead><tr><th scope='col'>rule</th>{head}</tr></thead><tbody>{rows}</tbody>"
    return f"{STYLE}<table class='lgq-health'>{table}</table>"


def in_one_sentence(verdicts: pd.DataFrame) -> str:
    """How many rules are in which state, the most severe first: `1 trouble, 6 fine, 1 not applicable`."""
    counts = verdicts["state"].value_counts()
    return ", ".join(f"{counts[state]} {state}" for state in STATE_LOOKS if state in counts)


def _state_cell(state: str) -> str:
    look = STATE_LOOKS[state]
    return (
        f"<td class='lgq-state' style='border-color: {look.colour}'>"
        f"<b style='color: {look.colour}' aria-hidden='true'>{look.symbol}</b> <span>{state}</span></td>"
    )


def _advice(row: Mapping[str, str]) -> str:
    if not row["advice"]:
        return ""
    code = f" <code>{html.escape(row['settings'])}</code>" if row["settings"] else ""
    return f"<br>→ {html.escape(row['advice'])}{code}"
