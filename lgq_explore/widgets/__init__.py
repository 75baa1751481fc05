"""What panels show and steer a run in a notebook?"""

from __future__ import annotations

from .temperature_control import TemperatureControl
from .training_monitor import TrainingMonitor

__all__ = ["TemperatureControl", "TrainingMonitor"]
