"""Tidy frames on several runs side by side."""

from __future__ import annotations

from .agreement import agreement
from .phases import gan_phases, unequal_phases
from .runs import over_seeds, runs_in
from .several_runs import of_several_runs

__all__ = ["agreement", "gan_phases", "of_several_runs", "over_seeds", "runs_in", "unequal_phases"]
