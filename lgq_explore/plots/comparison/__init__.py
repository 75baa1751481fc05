"""Figures on several runs side by side."""

from __future__ import annotations

from .agreement import publish_agreement

__all__ = ["publish_agreement"]
