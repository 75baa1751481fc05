"""Tidy frames on several runs side by side."""

from __future__ import annotations

from .agreement import agreement
from .runs import over_seeds, runs_in
from .several_runs import of_several_runs

__all__ = ["agreement", "of_several_runs", "over_seeds", "runs_in"]
