"""What panels show and steer a run in a notebook?"""

from __future__ import annotations

from .code_inspector import CodeInspector
from .geometry_explorer import GeometryExplorer
from .health_panel import HealthPanel
from .linking import Link, link
from .patch_inspector import PatchInspector
from .temperature_control import TemperatureControl
from .temperature_explorer import TemperatureExplorer
from .toy_lab import ToyLab
from .training_monitor import TrainingMonitor
from .usage_explorer import UsageExplorer

__all__ = [
    "CodeInspector",
    "GeometryExplorer",
    "HealthPanel",
    "Link",
    "PatchInspector",
    "TemperatureControl",
    "TemperatureExplorer",
    "ToyLab",
    "TrainingMonitor",
    "UsageExplorer",
    "link",
]
