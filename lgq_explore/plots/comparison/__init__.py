"""Figures on several runs side by side."""

from __future__ import annotations

from .agreement import draw_agreement, publish_agreement

__all__ = ["draw_agreement", "publish_agreement"]
