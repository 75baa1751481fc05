"""What panels show and steer a run in a notebook?"""

from __future__ import annotations

from .temperature_control import TemperatureControl
from .training_monitor import TrainingMonitor
from .usage_explorer import UsageExplorer

__all__ = [
    "TemperatureControl",
    "TrainingMonitor",
    "UsageExplorer",
]
