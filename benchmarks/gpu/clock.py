"""Time and device memory of a call."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from lgq_explore import __version__
from lgq_explore.bench.results import device_name

ROUNDS = 20
PACKAGES = ("torch", "triton", "lightning-fabric", "vector-quantize-pytorch")


@dataclass(frozen=True)
class Cost:
    """milliseconds: of each round. megabytes: growth of device memory, in units of 10⁶ bytes; None on a CPU."""

    milliseconds: list[float]
    megabytes: float | None

    @property
    def median(self) -> float:
        return statistics.median(self.milliseconds)


def cost_of(call: Callable[[], object], device: torch.device, seconds: float = 1.0) -> Cost:
    """The cost of a call after a warm-up: ROUNDS calls, or as many as `seconds` allow, but at least two."""
    started = time.perf_counter()
    call()
    _wait_for(device)
    first = time.perf_counter() - started
    before = _forget_peak(device)
    milliseconds = [_milliseconds(call, device) for _ in range(2)]
    megabytes = None if before is None else (torch.cuda.max_memory_allocated(device) - before) / 1e6
    each = max(min(milliseconds) / 1e3, 1e-6)
    more = min(ROUNDS - 2, int((seconds - first) / each))
    milliseconds += [_milliseconds(call, device) for _ in range(more)]
    return Cost([round(each, 5) for each in milliseconds], megabytes)


def on_what(device: torch.device) -> dict[str, Any]:
    """The head of a result: the device's name, and the versions of the libraries."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    versions = {"python": platform.python_version(), "lgq_explore": __version__, "cuda": torch.version.cuda}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    versions["torch"] = torch.__version__
    return {"device": device_name(name, torch.get_num_threads()), "environment": {"versions": versions}}


def _milliseconds(call: Callable[[], object], device: torch.device) -> float:
    if device.type != "cuda":
        started = time.perf_counter()
        call()
        return 1e3 * (time.perf_counter() - started)
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    call()
    end.record()
    end.synchronize()
    return start.elapsed_time(end)


def _forget_peak(device: torch.device) -> int | None:
    if device.type != "cuda":
        return None
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    return torch.cuda.memory_allocated(device)


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
