"""Joules of training, where the machine counts them; elsewhere they are absent, and never 0.

Processors count by RAPL (running average power limit), which Linux gives under /sys/class/powercap, often to root
alone. NVIDIA's GPUs since Volta count by NVML, the library of their driver. Both count the energy of the whole
processor package and of the whole GPU, whatever else runs there. Memory of the processors, fans and losses of the power
supply are not in it.
"""

from __future__ import annotations

import torch

from .gpu import gpu_counters
from .meter import GPU, PARTS, PROCESSORS, EnergyCounter, EnergyMeter
from .of_run import joules_of
from .processors import processor_counters

__all__ = ["GPU", "PARTS", "PROCESSORS", "EnergyCounter", "EnergyMeter", "energy_meter", "joules_of"]


def energy_meter(device: torch.device) -> EnergyMeter:
    """A meter of what this machine counts of training on a device: its processors, and the device if it is a GPU."""
    return EnergyMeter([*processor_counters(), *gpu_counters(device)])
