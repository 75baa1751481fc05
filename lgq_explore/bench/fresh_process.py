"""The cost of a computation in a process of its own, on one thread.

Memory that an earlier case left behind, a library that is started already or threads that wait for each other would
all be measured along, so every case has a process to itself:

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
"""Where Linux tells a process its memory; other systems have nothing that tells as much."""

Measure = Callable[[dict[str, Any]], dict[str, Any]]


class ProcessFailed(RuntimeError):
    """A process that measured a case did not come to its end; the message says why, in a line."""


def in_fresh_process(measure: Measure, case: dict[str, Any], seconds: float | None = None) -> dict[str, Any]:
    """`measure(case)` in a process of its own, on one thread. `measure` is a function at the top of a module.

    Raises InputError where it did, and ProcessFailed for any other end but a result, after `seconds` at the latest.
    """
    target = f"{measure.__module__}:{measure.__name__}"
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__, target, json.dumps(case)],
            # Libraries read these when they are loaded, before anybody can set a number of threads.
            env={**os.environ, "OMP_NUM_THREADS": str(THREADS), "MKL_NUM_THREADS": str(THREADS)},
            capture_output=True,
            text=True,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        raise ProcessFailed("no time was left for it to end") from None
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
    """seconds: CPU time of a step, the median of several. megabytes: 10⁶ bytes by which resident memory grew at its
    peak, in any step, above what it was before the first; None where the system does not tell.
    """

    seconds: float
    megabytes: float | None


def cost_of(step: Callable[[], None], *, steps: int, warm_up: Callable[[], None]) -> Cost:
    """The cost of `step`, called `steps` times after one `warm_up`, which starts what is started only once."""
    before = _forget_peak()
    warm_up()
    seconds = [_cpu_seconds(step) for _ in range(steps)]
    megabytes = None if before is None else (_resident_bytes("VmHWM") - before) / 1e6
    return Cost(statistics.median(seconds), megabytes)


def _cpu_seconds(step: Callable[[], None]) -> float:
    started = time.process_time()
    step()
    return time.process_time() - started


def _forget_peak() -> int | None:
    """Set the peak of resident memory back to what is resident now; that, in bytes, or None where it can't be done.

    What importing took at its peak would else hide what a step takes.
    """
    try:
        (PROCESS / "clear_refs").write_text("5")
    except OSError:
        return None
    return _resident_bytes("VmRSS")


def _resident_bytes(entry: str) -> int:
    # Not getrusage: its peak outlives exec, so that a child would start at the peak of its parent.
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
