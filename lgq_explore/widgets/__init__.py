"""Panels that show and steer runs in a notebook."""

from __future__ import annotations

from .comparison.explorer import ComparisonExplorer
from .comparison.runs_table import RunsTable
from .geometry.explorer import GeometryExplorer
from .health.panel import HealthPanel
from .linking import Link, link
from .pictures.code_inspector import CodeInspector
from .pictures.patch_inspector import PatchInspector
from .temperature.control import TemperatureControl
from .temperature.explorer import TemperatureExplorer
from .toys.lab import ToyLab
from .training.monitor import TrainingMonitor
from .usage.explorer import UsageExplorer

__all__ = [
    "CodeInspector",
    "ComparisonExplorer",
    "GeometryExplorer",
    "HealthPanel",
    "Link",
    "PatchInspector",
    "RunsTable",
    "TemperatureControl",
    "TemperatureExplorer",
    "ToyLab",
    "TrainingMonitor",
    "UsageExplorer",
    "link",
]
