"""Verdicts as HTML, a line each that unfolds, and as a table of states."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Mapping

import pandas as pd

from lgq_explore.plots.contrast import DARK_PAPER, text_colour
from lgq_explore.plots.health import STATE_LOOKS

STYLE = """<style>
.lgq-health { width: 100%; contain: inline-size; line-height: 19px; padding-right: 4px; box-sizing: border-box; }
.lgq-health details { border-left: 5px solid; padding-left: 8px; }
.lgq-health summary { display: flex; gap: 8px; cursor: pointer; white-space: nowrap; list-style: none;
  color: var(--jp-ui-font-color1, #222); }
.lgq-health .lgq-state { flex: 0 0 112px; }
.lgq-health .lgq-rule { flex: none; font-weight: bold; }
.lgq-health .lgq-finding { flex: 1 1 0; min-width: 0; overflow: hidden; text-overflow: ellipsis; }
.lgq-health details[open] .lgq-finding { visibility: hidden; }
.lgq-health .lgq-others { flex: none; }
.lgq-health p { margin: 0 0 6px; color: var(--jp-ui-font-color1, #222); line-height: 18px; }
.lgq-health b { color: var(--on-light); }
[data-jp-theme-light="false"] .lgq-health b { color: var(--on-dark); }
.lgq-health code { user-select: all; overflow-wrap: anywhere; }
</style>"""


MOST_NAMED = 3
"""Other runs that are named at the end of a line; more are counted by their states."""


def verdict_lines(verdicts: pd.DataFrame, others: Mapping[str, pd.DataFrame]) -> str:
    """One line per rule as HTML: its state by symbol and word, the rule, the finding; what to change unfolds below it.

    others: verdicts on other runs, whose states stand at the ends of the lines.
    """
    states = {run: frame.set_index("rule")["state"] for run, frame in others.items()}
    lines = "".join(
        _line(row, {run: of_run[row["rule"]] for run, of_run in states.items()}) for row in verdicts.to_dict("records")
    )
    return f"{STYLE}<div class='lgq-health'>{lines}</div>"


def overview(verdicts: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """States, one row per rule, the most severe in any run first, and one column per run."""
    states = pd.DataFrame({run: frame.set_index("rule")["state"] for run, frame in verdicts.items()})
    severity = states.apply(lambda of_run: of_run.map(list(STATE_LOOKS).index)).min(axis=1)
    return states.loc[severity.sort_values(kind="stable").index].rename_axis(None)


def in_one_sentence(verdicts: pd.DataFrame) -> str:
    """How many rules are in which state, the most severe first: `1 trouble, 6 fine, 1 not applicable`."""
    counts = verdicts["state"].value_counts()
    return ", ".join(f"{counts[state]} {state}" for state in STATE_LOOKS if state in counts)


def _line(row: Mapping[str, str], others: Mapping[str, str]) -> str:
    look, finding = STATE_LOOKS[row["state"]], html.escape(row["finding"])
    elsewhere = _elsewhere(others)
    return (
        f"<details style='border-color: {look.colour}'><summary>"
        f"<span class='lgq-state'>{_symbol(row['state'])} <span>{row['state']}</span></span>"
        f"<span class='lgq-rule'>{html.escape(row['rule'])}?</span>"
        f"<span class='lgq-finding'>{finding}</span>"
        f"<span class='lgq-others'>{elsewhere}</span></summary><p>{finding}{_advice(row)}</p></details>"
    )


def _elsewhere(others: Mapping[str, str]) -> str:
    """The states of other runs by name; of many, how many are in which state, the most severe first."""
    if len(others) <= MOST_NAMED:
        return " ".join(f"{_symbol(state)} {html.escape(run)}" for run, state in others.items())
    counts = Counter(others.values())
    return "others: " + " ".join(f"{_symbol(state)} {counts[state]}" for state in STATE_LOOKS if state in counts)


def _symbol(state: str) -> str:
    look = STATE_LOOKS[state]
    colours = f"--on-light: {text_colour(look.colour)}; --on-dark: {text_colour(look.colour, DARK_PAPER)}"
    return f"<b style='{colours}' title='{state}' role='img' aria-label='{state}'>{look.symbol}</b>"


def _advice(row: Mapping[str, str]) -> str:
    if not row["advice"]:
        return ""
    code = f" <code>{html.escape(row['settings'])}</code>" if row["settings"] else ""
    return f"<br>→ {html.escape(row['advice'])}{code}"
