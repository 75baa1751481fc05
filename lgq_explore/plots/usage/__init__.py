"""Figures on how often codes are used."""

from __future__ import annotations

from .accumulation import draw_accumulation
from .comparison import UsageFrames, publish_beside_map, publish_comparison
from .counts import draw_grid, draw_per_code, publish_grid, publish_per_code
from .definitions import draw_definitions
from .history import draw_code_history, publish_code_history
from .inequality import draw_by_rank, draw_lorenz

__all__ = [
    "UsageFrames",
    "draw_accumulation",
    "draw_by_rank",
    "draw_code_history",
    "draw_definitions",
    "draw_grid",
    "draw_lorenz",
    "draw_per_code",
    "publish_beside_map",
    "publish_code_history",
    "publish_comparison",
    "publish_grid",
    "publish_per_code",
]
