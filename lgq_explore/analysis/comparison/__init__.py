"""Tidy frames on several runs side by side."""

from __future__ import annotations

from lgq_explore.runs.photograph_numbers import photograph_numbers
from lgq_explore.runs.picture_features import PairedFeatures, paired_features

from .agreement import agreement
from .at_equal_bits import at_equal_bits, curve_lines
from .compare import Comparison, compare
from .curves import curve_differences
from .disagreement import disagreement
from .findings import findings
from .frechet_sizes import frechet_sizes
from .given import GivenRuns, given_runs
from .group_numbers import group_differences, group_numbers, group_ratios
from .ledger import by_groups, costs, ledger, own_settings, repetitions, tuned, unfairness
from .phases import gan_phases, unequal_phases
from .pruning import pruning
from .run_facts import Recorded
from .run_numbers import run_numbers
from .runs import over_seeds, runs_in
from .several_runs import of_several_runs

__all__ = [
    "Comparison",
    "GivenRuns",
    "PairedFeatures",
    "Recorded",
    "agreement",
    "at_equal_bits",
    "by_groups",
    "compare",
    "costs",
    "curve_differences",
    "curve_lines",
    "disagreement",
    "findings",
    "frechet_sizes",
    "gan_phases",
    "given_runs",
    "group_differences",
    "group_numbers",
    "group_ratios",
    "ledger",
    "of_several_runs",
    "over_seeds",
    "own_settings",
    "paired_features",
    "photograph_numbers",
    "pruning",
    "repetitions",
    "run_numbers",
    "runs_in",
    "tuned",
    "unequal_phases",
    "unfairness",
]
