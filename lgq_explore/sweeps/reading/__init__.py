"""Reading of sweep files (TOML), every value checked, before anything is trained."""

from __future__ import annotations

from .file import read_sweep
from .trials import metric_of

__all__ = ["metric_of", "read_sweep"]
