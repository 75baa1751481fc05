"""Verdicts on a run's health, and the command that follows their advice."""

from __future__ import annotations

import shlex

import pandas as pd

from lgq_explore.frames.health import STATES, VERDICTS
from lgq_explore.runs.run import Run
from lgq_explore.runs.study import Study

from .advice import Change
from .evidence import Evidence, gather_evidence
from .rules import RULES


def assess(subject: Run | Study) -> pd.DataFrame:
    """The verdict of each rule, one row per rule, the most severe first: `frames.health.VERDICTS`.

    subject: a run, of which a few held-out pictures are encoded, or a study of one. A run that is not finished, or not
    even begun, is judged by what there is. `health.rules` has the thresholds and their reasons.

    Raises:
        InputError: a history or weights that can't be read, or a study without a run.
    """
    return judge(gather_evidence(subject))


def judge(evidence: Evidence) -> pd.DataFrame:
    """The frame of `health.assess` for evidence at hand."""
    rows = []
    for rule, look in RULES.items():
        verdict = look(evidence)
        change = verdict.change or Change("")
        rows.append(
            {
                "rule": rule,
                "state": verdict.state,
                "finding": verdict.finding,
                "advice": change.words,
                "settings": change.options,
                "value": verdict.value,
                "threshold": verdict.threshold,
            }
        )
    frame = VERDICTS.frame(rows)
    return frame.sort_values("state", key=lambda states: states.map(STATES.index), kind="stable", ignore_index=True)


def advised_command(run: Run, verdicts: pd.DataFrame) -> str:
    """The command that trains the run's recipe anew with all advice of the frame of `health.assess`; empty without any.

    Where two rules set the same field, the more severe one is followed, and the other one is ignored.
    """
    taken: dict[str, str] = {}
    for options in verdicts["settings"]:
        assignments = dict(option.split("=", 1) for option in options.split() if option != "--set")
        if not taken.keys() & assignments.keys():
            taken |= assignments
    settings = [part for name, value in taken.items() for part in ("--set", f"{name}={value}")]
    command = ["lgq-explore", "train", "--config", str(run.path / "config.json"), *settings]
    return shlex.join(command) if settings else ""


def worst_state(verdicts: pd.DataFrame) -> str:
    """The most severe state of the frame of `health.assess`."""
    return min(verdicts["state"], key=STATES.index)
