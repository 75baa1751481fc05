"""Figures on metrics themselves: at which N their numbers can be trusted."""

from __future__ import annotations

from .live import draw_audit
from .printed import publish_audit

__all__ = ["draw_audit", "publish_audit"]
