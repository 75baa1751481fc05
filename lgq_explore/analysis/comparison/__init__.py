"""Tidy frames on several runs side by side."""

from __future__ import annotations

from .agreement import agreement
from .several_runs import of_several_runs

__all__ = ["agreement", "of_several_runs"]
