"""The processes of a sweep: each trains and evaluates one cell, with its share of the cores."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lgq_explore.errors import InputError

TAKEN = 75
"""The exit status of a process whose cell another one works on, or whose trials are not done: try again later."""

LINES_TOLD = 3
"""Of what a process that failed said last."""

SECONDS_TO_SAVE = 60.0
"""What processes have to finish a step and save, when they are asked to stop."""


@dataclass(frozen=True)
class Workers:
    """How cells are worked on. threads: of each process. devices: one for each job, in turn. data: SPEC, or None."""

    jobs: int = 1
    threads: int = 1
    devices: Sequence[str] = ("auto",)
    data: str | None = None

    def environment(self) -> dict[str, str]:
        """The environment of a process; libraries read these when they are loaded."""
        threads = str(self.threads)
        return {**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}

    @classmethod
    def sharing(cls, jobs: int, threads: int | None = None, device: str = "auto", data: str | None = None) -> Workers:
        """Workers that share the cores of this machine, and its GPUs if it has several. Raises InputError."""
        if jobs < 1:
            raise InputError(f"--jobs {jobs} trains nothing: give 1 or more")
        if threads is not None and threads < 1:
            raise InputError(f"--threads {threads} compute nothing: give 1 or more")
        return cls(jobs, threads or max(1, cores() // jobs), _devices(device), data)


def cores() -> int:
    """The cores that this process may use, or fewer if OMP_NUM_THREADS says so."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    told = os.environ.get("OMP_NUM_THREADS", "")
    return min(there, int(told)) if told.isdecimal() and int(told) > 0 else there


def _devices(device: str) -> tuple[str, ...]:
    import torch

    if device in ("auto", "cuda") and torch.cuda.device_count() > 1:
        return tuple(f"cuda:{number}" for number in range(torch.cuda.device_count()))
    return (device,)


def command(file: Path, out: Path, number: int, device: str, data: str | None) -> list[str]:
    """The command that works on one cell."""
    given = ["sweep", str(file), "--cell", str(number), "--out", str(out), "--device", device]
    return [sys.executable, "-m", "lgq_explore", *given, *(() if data is None else ("--data", data))]


@dataclass
class CellProcess:
    """A process that works on one cell. It stops and saves when its parent is gone, however that ended.

    slot: the number of its job.
    """

    number: int
    slot: int
    log: Path
    process: subprocess.Popen[bytes] = field(repr=False)

    @classmethod
    def start(
        cls, number: int, slot: int, log: Path, arguments: Sequence[str], environment: Mapping[str, str]
    ) -> CellProcess:
        with log.open("wb") as target:
            process = subprocess.Popen(
                [*arguments, "--stop-with-stdin"],
                stdin=subprocess.PIPE,  # never written to: it closes when this process ends
                stdout=target,
                stderr=target,
                env=dict(environment),
                start_new_session=True,  # Ctrl-C in a terminal is for the parent, which stops its processes one by one
            )
        return cls(number, slot, log, process)

    @property
    def status(self) -> int | None:
        """The exit status, or None while it runs; −N after signal N."""
        return self.process.poll()

    def stop(self) -> None:
        """Ask the process to save and end."""
        if self.process.poll() is None:
            self.process.terminate()

    def last_lines(self) -> str:
        """What it said last."""
        said = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        lines = [line for line in said if line.strip()][-LINES_TOLD:]
        if self.process.returncode is not None and self.process.returncode < 0:
            lines.append(f"its process was ended by signal {-self.process.returncode}")
        return "\n".join(lines) or f"its process ended with status {self.process.returncode}"


def stop_all(processes: Sequence[CellProcess]) -> None:
    """Ask all processes to save and end, and wait for them; those that take too long are killed."""
    for each in processes:
        each.stop()
    until = time.monotonic() + SECONDS_TO_SAVE
    for each in processes:
        try:
            each.process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            each.process.kill()
            each.process.wait()
