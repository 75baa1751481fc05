"""Figures on several runs side by side."""

from __future__ import annotations

from .agreement import publish_agreement
from .rate_distortion import publish_pruning, publish_rate_distortion

__all__ = ["publish_agreement", "publish_pruning", "publish_rate_distortion"]
