"""Tidy frames on how often codes are used."""

from __future__ import annotations

from ..codes import checked_codes
from .accumulation import accumulation
from .counts import codes_per_token, grid, of_counts, of_groups, per_code
from .definitions import definitions
from .history import code_history
from .inequality import by_rank, lorenz
from .summary import summary

__all__ = [
    "accumulation",
    "by_rank",
    "checked_codes",
    "code_history",
    "codes_per_token",
    "definitions",
    "grid",
    "lorenz",
    "of_counts",
    "of_groups",
    "per_code",
    "summary",
]
