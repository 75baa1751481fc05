"""Questions asked of a tokenizer, by topic: each is a function to a tidy frame."""

from __future__ import annotations

from . import comparison, geometry, health, pictures, temperature, toys, usage

__all__ = ["comparison", "geometry", "health", "pictures", "temperature", "toys", "usage"]
