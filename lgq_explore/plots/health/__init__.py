"""Figures on whether a run is healthy."""

from __future__ import annotations

from .training_curves import draw_training_curves, publish_training_curves
from .verdicts import STATE_LOOKS, draw_verdicts, publish_verdicts

__all__ = ["STATE_LOOKS", "draw_training_curves", "draw_verdicts", "publish_training_curves", "publish_verdicts"]
