"""Tidy frames on several runs side by side."""

from __future__ import annotations

from lgq_explore.runs.photograph_numbers import PairedFeatures, paired_features, photograph_numbers

from .agreement import agreement
from .ledger import costs, ledger, own_settings, repetitions, unfairness
from .phases import gan_phases, unequal_phases
from .run_facts import Recorded
from .runs import over_seeds, runs_in
from .several_runs import of_several_runs

__all__ = [
    "PairedFeatures",
    "Recorded",
    "agreement",
    "costs",
    "gan_phases",
    "ledger",
    "of_several_runs",
    "over_seeds",
    "own_settings",
    "paired_features",
    "photograph_numbers",
    "repetitions",
    "runs_in",
    "unequal_phases",
    "unfairness",
]
