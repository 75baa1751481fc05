"""Measurements of time and memory in a fresh process, on one thread.

Memory left by an earlier case, libraries that are already initialised and threads that wait for each other would
distort the measurement, so every case has its own process:

    python -m lgq_explore.bench.fresh_process MODULE:FUNCTION JSON

calls the function with the JSON object and prints the object that it returns.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lgq_explore.errors import InputError

THREADS = 1
BAD_INPUT = 2
PROCESS = Path("/proc/self")
"""Where Linux reports the memory of a process; other systems have no equivalent."""

Measure = Callable[[dict[str, Any]], dict[str, Any]]


class ProcessFailed(RuntimeError):
    """A process that measures a case failed; the message says why, in a line."""


def in_fresh_process(
    measure: Measure, case: dict[str, Any], seconds: float | None = None, folder: Path | None = None
) -> dict[str, Any]:
    """Run `measure(case)` in a fresh process, on one thread. measure: a function at the top level of a module.

    folder: where the process starts; in a checkout of another version of the package, it is that version's function.
    Raises InputError if `measure` does, and ProcessFailed for any other failure or after `seconds`.
    """
    target = f"{measure.__module__}:{measure.__name__}"
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__, target, json.dumps(case)],
            # Libraries read these when they are loaded.
            env={**os.environ, "OMP_NUM_THREADS": str(THREADS), "MKL_NUM_THREADS": str(THREADS)},
            capture_output=True,
            text=True,
            timeout=seconds,
            cwd=folder,
        )
    except subprocess.TimeoutExpired:
        raise ProcessFailed("no time was left for it to finish") from None
    if done.returncode == 0:
        result: dict[str, Any] = json.loads(done.stdout)
        return result
    if done.returncode == BAD_INPUT:
        raise InputError(done.stderr.strip())
    if done.returncode < 0:
        raise ProcessFailed(f"its process was ended by {signal.Signals(-done.returncode).name}")
    raise ProcessFailed((done.stderr.strip().splitlines() or [f"its process ended with status {done.returncode}"])[-1])


@dataclass(frozen=True)
class Cost:
    """seconds: median CPU time per step. megabytes: growth of peak resident memory since before the first step, in
    units of 10⁶ bytes; None if the system does not report it.
    """

    seconds: float
    megabytes: float | None


def cost_of(step: Callable[[], None], *, steps: int, warm_up: Callable[[], None]) -> Cost:
    """The cost of `step`, called `steps` times after one `warm_up`, which initialises libraries."""
    peak = PeakMemory()
    warm_up()
    seconds = [_cpu_seconds(step) for _ in range(steps)]
    return Cost(statistics.median(seconds), peak.megabytes())


class PeakMemory:
    """The peak of this process's resident memory since the instance was made."""

    def __init__(self) -> None:
        self._before = _forget_peak()

    def megabytes(self) -> float | None:
        """How far the peak lies above the size at the start, in 10⁶ bytes; None if the system does not report it."""
        return None if self._before is None else (_resident_bytes("VmHWM") - self._before) / 1e6


def _cpu_seconds(step: Callable[[], None]) -> float:
    started = time.process_time()
    step()
    return time.process_time() - started


def _forget_peak() -> int | None:
    """Reset the peak of resident memory, and return the current size in bytes, or None if it can't be reset.

    The peak during imports could otherwise exceed that of a step.
    """
    try:
        (PROCESS / "clear_refs").write_text("5")
    except OSError:
        return None
    return _resident_bytes("VmRSS")


def _resident_bytes(entry: str) -> int:
    # Not by getrusage, whose peak is inherited through exec from the parent.
    (kilobytes,) = re.findall(rf"^{entry}:\s*(\d+) kB$", (PROCESS / "status").read_text(), re.MULTILINE)
    return 1024 * int(kilobytes)


def main(arguments: Sequence[str]) -> int:
    target, case = arguments
    module, _, function = target.partition(":")
    torch.set_num_threads(THREADS)
    measure: Measure = getattr(importlib.import_module(module), function)
    try:
        result = measure(json.loads(case))
    except InputError as error:
        print(error, file=sys.stderr)
        return BAD_INPUT
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
