"""Tidy frames on several runs side by side."""

from __future__ import annotations

from lgq_explore.runs.photograph_numbers import PairedFeatures, paired_features, photograph_numbers

from .agreement import agreement
from .phases import gan_phases, unequal_phases
from .runs import over_seeds, runs_in
from .several_runs import of_several_runs

__all__ = [
    "PairedFeatures",
    "agreement",
    "gan_phases",
    "of_several_runs",
    "over_seeds",
    "paired_features",
    "photograph_numbers",
    "runs_in",
    "unequal_phases",
]
