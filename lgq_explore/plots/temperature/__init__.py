"""Figures on soft assignment at each temperature."""

from __future__ import annotations

from .bifurcation import draw_bifurcation, draw_centre_counts, mark_present, publish_bifurcation
from .estimator_map import publish_estimator_map
from .estimators import publish_estimators
from .run_bifurcations import publish_bifurcations
from .softness import (
    TemperatureFrames,
    draw_softness,
    draw_token_map,
    draw_top_responsibilities,
    publish_temperature,
)
from .sweep import draw_sweep, mark_temperature, publish_sweep

__all__ = [
    "TemperatureFrames",
    "draw_bifurcation",
    "draw_centre_counts",
    "draw_softness",
    "draw_sweep",
    "draw_token_map",
    "draw_top_responsibilities",
    "mark_present",
    "mark_temperature",
    "publish_bifurcation",
    "publish_bifurcations",
    "publish_estimator_map",
    "publish_estimators",
    "publish_sweep",
    "publish_temperature",
]
