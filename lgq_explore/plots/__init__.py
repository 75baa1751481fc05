"""Figures of tidy frames, by topic: `draw_*` gives a plotly figure to explore, `publish_*` its static twin."""

from __future__ import annotations

from . import audit, comparison, geometry, health, pictures, temperature, toys, usage
from .style import METHOD_COLOURS

__all__ = ["METHOD_COLOURS", "audit", "comparison", "geometry", "health", "pictures", "temperature", "toys", "usage"]
