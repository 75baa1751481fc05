"""Figures on points in the plane whose best codebook is known."""

from __future__ import annotations

from .distance import draw_toy_distance, publish_toy_distance, publish_toy_table
from .plane import POINTS_SHOWN, PlanePanel, draw_toy_plane, empty_place, publish_toy_plane

__all__ = [
    "POINTS_SHOWN",
    "PlanePanel",
    "draw_toy_distance",
    "draw_toy_plane",
    "empty_place",
    "publish_toy_distance",
    "publish_toy_plane",
    "publish_toy_table",
]
