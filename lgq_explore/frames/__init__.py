"""Frames that analysis makes and plots draw, by topic: their columns, and the names that both sides use."""

from __future__ import annotations

from . import comparison, geometry, health, pictures, temperature, toys, usage
from .columns import Columns

__all__ = ["Columns", "comparison", "geometry", "health", "pictures", "temperature", "toys", "usage"]
