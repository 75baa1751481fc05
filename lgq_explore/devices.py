"""The device that something runs on, by its name, and the name of the device that something ran on."""

from __future__ import annotations

import re

import torch

from lgq_explore.errors import InputError

DEVICES = "auto, cpu, cuda or cuda:I"
"""Names of devices. `auto` is CUDA where torch sees a device, else the CPU; `cuda:I` is the device with this number."""

CPU = torch.device("cpu")

_KNOWN = re.compile(r"auto|cpu|cuda(:\d{1,3})?")


def require_known_device(name: str) -> None:
    """Raise InputError for a name that is none of DEVICES, whether this machine has the device or not."""
    if not _KNOWN.fullmatch(name):
        raise InputError(f"unknown device {name!r}; choose one of {DEVICES}")


def device_named(name: str) -> torch.device:
    """The device of one of DEVICES. Raises InputError for another name, and for a device that this machine lacks."""
    require_known_device(name)
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError(f"device is {name!r}, but torch sees no CUDA device: use --device cpu or auto")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        last = torch.cuda.device_count() - 1
        raise InputError(
            f"device is {name!r}, but the last CUDA device that torch sees is cuda:{last}: give up to that"
        )
    return device


def model_of(device: torch.device) -> str:
    """`cpu`, or the model of a GPU, such as "NVIDIA H200"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
