"""Analyses of a tokenizer, by topic: functions from a study to a tidy frame."""

from __future__ import annotations

from . import comparison, geometry, health, pictures, temperature, toys, usage

__all__ = ["comparison", "geometry", "health", "pictures", "temperature", "toys", "usage"]
