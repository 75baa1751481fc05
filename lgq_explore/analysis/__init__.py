"""Which questions can be asked of a run or an encoding? Each is a function to a tidy frame, one question a file."""

from __future__ import annotations

from .code_usage import code_usage, usage_grid, usage_of_counts
from .reconstructions import Reconstructions, reconstruct, reconstruction_quality
from .training_curves import training_curves

__all__ = [
    "Reconstructions",
    "code_usage",
    "reconstruct",
    "reconstruction_quality",
    "training_curves",
    "usage_grid",
    "usage_of_counts",
]
