"""Check and measure all that needs a GPU, in ten minutes, without a network.

    python -m benchmarks.gpu [--minutes 10] [--out FOLDER] [--parts tests tiles soft-assignment training]

Each part is a process of its own and writes a dated JSON file when it ends. The next starts only if it may still end in
time. With GPU_DRY_RUN=1 in the environment everything runs on the CPU, at toy size, and nothing is kept beside FOLDER.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from lgq_explore.bench.results import results_folder, save_result
from lgq_explore.bench.training import METHODS, measure_shares
from lgq_explore.models import BackboneConfig
from lgq_explore.runs.config import preset

from . import assignment, checks, tiles

FOLDER = Path(__file__).parents[1] / "results"
CODEBOOK_SIZE, TOY_CODEBOOK_SIZE = 16384, 64
RESERVE = 10.0
"""Seconds that are left for a part to be ended, and its result to be written."""


@dataclass(frozen=True)
class Part:
    """measure(device, seconds, toy) gives a result. fewest, most: seconds it needs, and may take."""

    measure: Callable[[torch.device, float, bool], dict[str, Any]]
    fewest: float
    most: float


def training(device: torch.device, seconds: float, toy: bool) -> dict[str, Any]:
    """Images a second and the quantizer's share of a step, of the `small` recipe by method, as many as time allows."""
    deadline, longest = time.monotonic() + seconds, 0.0
    size = TOY_CODEBOOK_SIZE if toy else CODEBOOK_SIZE
    shares: list[dict[str, Any]] = []
    for method in METHODS[:2] if toy else METHODS:
        recipe = replace(preset("small", method, size), data="fake" if toy else "photos")
        if toy:
            recipe = replace(recipe, image_size=16, batch_size=2, backbone=BackboneConfig((8, 8, 8), dim=8))
        started = time.monotonic()
        if shares and started + longest > deadline:
            break
        shares.append(measure_shares([recipe], device=device.type, progress=False))
        longest = max(longest, time.monotonic() - started)
    results = [{**each, "images_per_second": _images_per_second(each)} for share in shares for each in share["results"]]
    recipes = {name: recipe for share in shares for name, recipe in share["recipes"].items()}
    return {**shares[0], "benchmark": "gpu-training", "recipes": recipes, "results": results}


def _images_per_second(result: dict[str, Any]) -> float | None:
    return result["batch_size"] / result["median_step_seconds"] if result["median_step_seconds"] else None


PARTS = {
    "tests": Part(checks.run_checks, 60, 240),
    "tiles": Part(tiles.tune, 60, 150),
    "soft-assignment": Part(assignment.compare, 40, 240),
    "training": Part(training, 60, 150),
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="that all parts may take together")
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="FOLDER", help="for the results")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="which, in this order")
    parser.add_argument("--here", type=float, metavar="SECONDS", help=argparse.SUPPRESS)  # a part, in its own process
    options = parser.parse_args(arguments)
    toy = os.environ.get("GPU_DRY_RUN", "0") not in ("", "0")
    if not toy and not torch.cuda.is_available():
        print("torch sees no CUDA device: set GPU_DRY_RUN=1 to try everything on the CPU", file=sys.stderr)
        return 2
    results_folder(options.out)
    if options.here is not None:
        _measure(options.parts[0], options.out, options.here, toy)
        return 0
    return _run_all(options.parts, options.out, time.monotonic() + 60 * options.minutes)


def _run_all(names: Sequence[str], out: Path, deadline: float) -> int:
    failed = 0
    for name in names:
        part, left = PARTS[name], deadline - time.monotonic() - RESERVE
        if left < part.fewest:
            print(f"{name}: not started, {left:.0f} seconds are left", flush=True)
            continue
        seconds, started = min(left, part.most), time.monotonic()
        command = [sys.executable, "-m", "benchmarks.gpu", "--parts", name, "--out", str(out), "--here", str(seconds)]
        try:
            status = subprocess.run(command, cwd=FOLDER.parents[1], timeout=seconds + RESERVE / 2).returncode
        except subprocess.TimeoutExpired:
            status = 124
        failed += status != 0
        print(f"{name}: status {status}, {time.monotonic() - started:.0f} s", flush=True)
    return 1 if failed else 0


def _measure(name: str, out: Path, seconds: float, toy: bool) -> None:
    device = torch.device("cpu" if toy else "cuda")
    result = PARTS[name].measure(device, seconds, toy)
    print(save_result(result, out))
    if name == "tiles" and not toy:
        tiles.keep_tiles(result)


if __name__ == "__main__":
    sys.exit(main())
