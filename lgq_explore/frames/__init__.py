"""Frames that analysis makes and plots draw, by topic: their columns, and the names that both sides use."""

from __future__ import annotations

from . import audit, comparison, geometry, health, pictures, temperature, toys, usage
from .columns import Columns
from .json_rows import json_rows

__all__ = [
    "Columns",
    "audit",
    "comparison",
    "geometry",
    "health",
    "json_rows",
    "pictures",
    "temperature",
    "toys",
    "usage",
]
