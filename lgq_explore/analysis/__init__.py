"""Analyses of a tokenizer, by topic: functions from a study to a tidy frame."""

from __future__ import annotations

from . import audit, comparison, geometry, health, pictures, temperature, toys, usage

__all__ = ["audit", "comparison", "geometry", "health", "pictures", "temperature", "toys", "usage"]
