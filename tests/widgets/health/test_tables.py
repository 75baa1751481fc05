"""Do the verdicts on a dozen runs fit into lines?"""

from __future__ import annotations

import re

import pandas as pd

from lgq_explore.plots.health import STATE_LOOKS
from lgq_explore.widgets.health.tables import verdict_lines


def verdicts(state: str) -> pd.DataFrame:
    return pd.DataFrame([{"rule": "collapse", "state": state, "finding": "found", "advice": "", "settings": ""}])


def at_the_end(others: dict[str, str]) -> str:
    text = verdict_lines(verdicts("fine"), {run: verdicts(state) for run, state in others.items()})
    (found,) = re.findall(r"<span class='lgq-others'>(.*?)</span>", text)
    return re.sub(r"<[^>]*>", "", found)


def test_few_other_runs_are_named_with_their_states() -> None:
    fine, trouble = STATE_LOOKS["fine"].symbol, STATE_LOOKS["trouble"].symbol
    assert at_the_end({"vq": "fine", "<b>": "trouble"}) == f"{fine} vq {trouble} &lt;b&gt;"


def test_many_other_runs_are_counted_by_their_states() -> None:
    fine, trouble = STATE_LOOKS["fine"].symbol, STATE_LOOKS["trouble"].symbol
    others = {f"vq, seed {seed}": "trouble" if seed == 5 else "fine" for seed in range(11)}
    assert at_the_end(others) == f"others: {trouble} 1 {fine} 10"
