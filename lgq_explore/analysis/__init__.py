"""Which questions can be asked of a run or an encoding? Each is a function to a tidy frame, one question a file."""

from __future__ import annotations

from .code_usage import code_usage, usage_grid, usage_of_counts
from .reconstructions import Reconstructions, reconstruct, reconstruction_quality
from .several_runs import of_several_runs
from .training_curves import training_curves
from .usage_accumulation import usage_accumulation
from .usage_definitions import usage_definitions
from .usage_inequality import usage_by_rank, usage_lorenz
from .usage_summary import usage_summary

__all__ = [
    "Reconstructions",
    "code_usage",
    "of_several_runs",
    "reconstruct",
    "reconstruction_quality",
    "training_curves",
    "usage_accumulation",
    "usage_by_rank",
    "usage_definitions",
    "usage_grid",
    "usage_lorenz",
    "usage_of_counts",
    "usage_summary",
]
