"""Tidy frames on whether a run is healthy."""

from __future__ import annotations

from .curves import rule_curves
from .evidence import CROPS, Evidence, gather_evidence
from .step_marks import step_marks
from .training_curves import training_curves
from .verdicts import advised_command, assess, judge, worst_state

__all__ = [
    "CROPS",
    "Evidence",
    "advised_command",
    "assess",
    "gather_evidence",
    "judge",
    "rule_curves",
    "step_marks",
    "training_curves",
    "worst_state",
]
