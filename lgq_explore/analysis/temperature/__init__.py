"""Tidy frames on soft assignment at each temperature."""

from __future__ import annotations

from lgq_explore.quantizers.annealing import critical_temperature

from .annealing import AnnealingPath, annealing_path, annealing_temperatures, bifurcations, split_temperatures
from .estimator_map import code_spacing, estimator_map, matched_temperature
from .estimators import (
    ESTIMATORS,
    beside_straight_through,
    compare_estimators,
    encoder_gradient,
    estimator_microscope,
)
from .flips import flips_over_snapshots
from .marks import temperature_marks, temperature_of_gap
from .probe import TemperatureProbe, token_map
from .softness import require_soft, sample_latents, softness_summary, temperature_grid
from .view import TemperatureView, TemperatureViews

__all__ = [
    "ESTIMATORS",
    "AnnealingPath",
    "TemperatureProbe",
    "TemperatureView",
    "TemperatureViews",
    "annealing_path",
    "annealing_temperatures",
    "beside_straight_through",
    "bifurcations",
    "code_spacing",
    "compare_estimators",
    "critical_temperature",
    "encoder_gradient",
    "estimator_map",
    "estimator_microscope",
    "flips_over_snapshots",
    "matched_temperature",
    "require_soft",
    "sample_latents",
    "softness_summary",
    "split_temperatures",
    "temperature_grid",
    "temperature_marks",
    "temperature_of_gap",
    "token_map",
]
