"""Run all tests and measurements that need a GPU, in ten minutes, without a network.

    python -m benchmarks.gpu [--minutes 10] [--out FOLDER] [--parts tests tiles soft-assignment training quantizers]
                             [--data folder:PATH] [--steps N] [--earlier RESULT]

Each part runs in its own process and writes a dated JSON file when it ends; the longest parts also write intermediate
results. A part starts only if it can end in time. `quantizers` compares methods on photographs; the few that come with
the package are not enough, so give it a folder of hundreds, and more minutes; with an earlier result it makes only
the runs that are missing there. With GPU_DRY_RUN=1 in the environment
everything runs on the CPU at toy size, and nothing is written outside of FOLDER.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lgq_explore.bench.results import read_result, results_folder, rewrite_result, save_result
from lgq_explore.errors import InputError
from lgq_explore.images.opening import resolve_spec

from . import assignment, checks, comparison, earlier, throughput, tiles
from .job import Job

FOLDER = Path(__file__).parents[1] / "results"
RESERVE = 10.0
"""Seconds reserved for ending a part and writing its result."""


@dataclass(frozen=True)
class Part:
    """A part of the command. measure(job) returns a result. fewest, most: seconds that it needs, and may take."""

    measure: Callable[[Job], dict[str, Any]]
    fewest: float
    most: float


PARTS = {
    "tests": Part(lambda job: checks.run_checks(job.device, job.seconds, job.toy), 60, 300),
    "tiles": Part(lambda job: tiles.tune(job.device, job.seconds, job.toy), 60, 150),
    "soft-assignment": Part(lambda job: assignment.compare(job.device, job.seconds, job.toy), 40, 240),
    "training": Part(throughput.measure_training, 60, 240),
    "quantizers": Part(comparison.compare, 60, 3600),
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="that all parts may take together")
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="FOLDER", help="for the results")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="which, in this order")
    parser.add_argument("--data", default="photos", metavar="SPEC", help="photographs to train on (default: photos)")
    parser.add_argument("--steps", type=int, metavar="N", help=f"of a run of quantizers (default: {comparison.STEPS})")
    parser.add_argument("--earlier", type=Path, metavar="RESULT", help="of quantizers, whose runs are not made again")
    # A part, in its own process, to end at this time since the epoch: it begins seconds after it was started.
    parser.add_argument("--until", type=float, metavar="TIME", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    toy = os.environ.get("GPU_DRY_RUN", "0") not in ("", "0")
    if not toy and not torch.cuda.is_available():
        print("torch sees no CUDA device: set GPU_DRY_RUN=1 to try everything on the CPU", file=sys.stderr)
        return 2
    try:
        resolve_spec(options.data)
        results_folder(options.out)
        if options.earlier is not None:
            read_result(options.earlier, earlier.BENCHMARK)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    if options.until is None:
        return _run_all(options, time.monotonic() + 60 * options.minutes)
    _measure(options, toy)
    return 0


def _run_all(options: argparse.Namespace, deadline: float) -> int:
    failed = 0
    for name in options.parts:
        part, left = PARTS[name], deadline - time.monotonic() - RESERVE
        if left < part.fewest:
            print(f"{name}: not started, {left:.0f} seconds are left", flush=True)
            continue
        seconds, started = min(left, part.most), time.monotonic()
        command = [sys.executable, "-m", "benchmarks.gpu", "--parts", name, "--until", str(time.time() + seconds)]
        command += ["--out", str(options.out.absolute()), "--data", resolve_spec(options.data)]
        command += [] if options.steps is None else ["--steps", str(options.steps)]
        command += [] if options.earlier is None else ["--earlier", str(options.earlier.absolute())]
        try:
            status = subprocess.run(command, cwd=FOLDER.parents[1], timeout=seconds + RESERVE / 2).returncode
        except subprocess.TimeoutExpired:
            status = 124
        failed += status != 0
        print(f"{name}: status {status}, {time.monotonic() - started:.0f} s", flush=True)
    return 1 if failed else 0


def _measure(options: argparse.Namespace, toy: bool) -> None:
    kept = _KeptResult(options.out)
    (name,) = options.parts
    device, data = (torch.device("cpu"), "fake") if toy else (torch.device("cuda"), options.data)
    seconds = options.until - time.time()
    job = Job(device, seconds, toy, data, options.steps, options.earlier, kept.write)
    result = PARTS[name].measure(job)
    kept.write(result)
    print(kept.path)
    if name == "tiles" and not toy:
        tiles.keep_tiles(result)


@dataclass
class _KeptResult:
    """The file of one result, rewritten whenever the result grows."""

    folder: Path
    path: Path | None = None

    def write(self, result: Mapping[str, Any]) -> None:
        if self.path is None:
            self.path = save_result(result, self.folder)
        else:
            rewrite_result(result, self.path)


if __name__ == "__main__":
    sys.exit(main())
