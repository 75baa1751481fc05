"""What NVIDIA's GPUs count of their energy, through the C library of their driver (NVML), which no package brings."""

from __future__ import annotations

import ctypes
import os
from typing import Any

import torch

from .meter import GPU, EnergyCounter

NVML = "nvml.dll" if os.name == "nt" else "libnvidia-ml.so.1"


def gpu_counters(device: torch.device) -> list[EnergyCounter]:
    """A counter of the device; none if it is no GPU of NVIDIA's, is older than Volta, or is a part of one (MIG)."""
    if device.type != "cuda" or torch.version.cuda is None:
        return []
    try:
        nvml = ctypes.CDLL(NVML)
    except OSError:
        return []
    return counters_of(str(torch.cuda.get_device_properties(device).uuid), nvml)


def counters_of(uuid: str, nvml: Any) -> list[EnergyCounter]:
    """A counter of the GPU of this UUID, as PyTorch writes it; none if it does not count. nvml: the library."""
    handle, name = ctypes.c_void_p(), uuid if uuid.startswith("MIG-") else f"GPU-{uuid.removeprefix('GPU-')}"

    def joules() -> float:
        millijoules = ctypes.c_ulonglong()
        _require_success(nvml.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(millijoules)))
        return millijoules.value / 1e3

    try:
        _require_success(nvml.nvmlInit_v2())
        _require_success(nvml.nvmlDeviceGetHandleByUUID(name.encode(), ctypes.byref(handle)))
        joules()
    except (OSError, AttributeError):  # AttributeError: a library of a driver that is too old has not all functions
        return []
    return [EnergyCounter(GPU, joules)]


def _require_success(status: int) -> None:
    if status:
        raise OSError(f"NVML returned {status}")
