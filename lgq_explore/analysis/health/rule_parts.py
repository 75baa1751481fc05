"""Parts of the health rules: verdicts, numbers that several rules read, and their wording."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from lgq_explore.frames.health import NOT_APPLICABLE, State

from .advice import Change
from .evidence import Evidence

RECONSTRUCTION = "loss_l1"
"""Column of the history with the reconstruction loss."""
SMOOTHED = 3
"""Number of logged steps whose median is taken, so that a single bad batch does not count as a trend."""


@dataclass(frozen=True)
class Verdict:
    """The verdict of a rule. value: the number that it judged. threshold: where the state changes. NaN for none."""

    state: State
    finding: str
    change: Change | None = None
    value: float = math.nan
    threshold: float = math.nan


Rule = Callable[[Evidence], Verdict]


def logged(evidence: Evidence, name: str) -> pd.DataFrame:
    """The rows of the history in which a column has a number; none where there is no such column."""
    history = evidence.history
    return history[history[name].notna()] if name in history else history.iloc[:0]


def logged_reconstruction(evidence: Evidence) -> pd.DataFrame:
    """The rows of the history from the step on at which the reconstruction loss is first minimised; empty for none."""
    term = RECONSTRUCTION.removeprefix("loss_")
    start = evidence.config.objectives.get(term, {}).get("start_step", 0)
    history = evidence.history
    return history[history["step"] > start] if RECONSTRUCTION in history else history.iloc[:0]


def records(frame: pd.DataFrame) -> list[dict[str, float]]:
    """The rows, each a number by column."""
    return [{str(name): float(value) for name, value in row.items()} for row in frame.to_dict("records")]


def nothing_logged() -> Verdict:
    """Of a rule that reads the history, before its first row."""
    return Verdict(NOT_APPLICABLE, "Nothing has been logged yet.")


def progress(evidence: Evidence) -> str:
    """How far training is, in words."""
    return f"step {evidence.finished_steps:,d} of {evidence.config.steps:,d}"


def percent(share: float) -> str:
    """A share to three digits."""
    return f"{100 * share:.3g} %"


def sentence(words: str) -> str:
    """The words with a capital letter and a full stop."""
    return f"{words[0].upper()}{words[1:]}."
