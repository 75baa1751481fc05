"""A run's health as text for terminals, and as JSON."""

from __future__ import annotations

import textwrap
from typing import Any

import pandas as pd

from lgq_explore.analysis.health.verdicts import advised_command, worst_state
from lgq_explore.frames import json_rows
from lgq_explore.runs.run import Run

WIDEST = 100
"""The most columns of text; longer lines are hard to read."""

STATE_WIDTH = 16
MARGIN = " " * STATE_WIDTH


def health_text(run: Run, verdicts: pd.DataFrame, width: int = WIDEST) -> str:
    """The verdicts of `analysis.health.assess` on a run, most severe first, for a terminal of this width."""
    config = run.config
    lines = [
        f"{run.path}: {worst_state(verdicts)}",
        f"{config.quantizer.method}, K = {config.quantizer.size:,d}, D = {config.backbone.dim}, seed {config.seed}, "
        f"step {run.finished_steps:,d} of {config.steps:,d}",
    ]
    for verdict in verdicts.itertuples():
        lines += ["", f"{verdict.state:{STATE_WIDTH}}{verdict.rule}?", *_indented(verdict.finding, width)]
        if verdict.advice:
            lines += _indented(f"→ {verdict.advice}", width)
            lines += [f"{MARGIN}--set {option.strip()}" for option in verdict.settings.split("--set ")[1:]]
    command = advised_command(run, verdicts)
    if command:
        lines += ["", "To train it anew with all of this changed:", command]
    return "\n".join(lines)


def health_json(run: Run, verdicts: pd.DataFrame) -> dict[str, Any]:
    """The verdicts as JSON values: run, state (most severe), step, steps, rules (an object each), train (a command)."""
    return {
        "run": run.name,
        "state": worst_state(verdicts),
        "step": run.finished_steps,
        "steps": run.config.steps,
        "rules": json_rows(verdicts),
        "train": advised_command(run, verdicts) or None,
    }


def _indented(words: str, width: int) -> list[str]:
    return textwrap.wrap(
        words,
        max(40, min(width, WIDEST)),
        initial_indent=MARGIN,
        subsequent_indent=MARGIN,
        break_long_words=False,
        break_on_hyphens=False,
    )
