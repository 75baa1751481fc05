"""Runs the tests that need a GPU."""

from __future__ import annotations

import ast
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from lgq_explore.bench.results import today

from .clock import on_what
from .outcomes import read_outcomes

TESTS = Path(__file__).parents[2] / "tests"
PROCESSES = 14
"""Processes that share the GPU; most of the time is spent on compiling kernels."""
TOY_TESTS = ("metrics/test_usage.py",)


def run_checks(device: torch.device, seconds: float, toy: bool) -> dict[str, Any]:
    """The outcome and seconds of every test marked `gpu`; with `toy`, of tests that need no GPU.

    Tests that did not end within `seconds` are counted as `not_run`; the exit status is then None.
    """
    tests = [TESTS / name for name in TOY_TESTS] if toy else files_with_gpu_tests()
    marked = "not gpu and not slow" if toy else "gpu"
    with tempfile.TemporaryDirectory(prefix="lgq-explore-gpu-") as folder:
        kept = Path(folder) / "outcomes.jsonl"
        options = ["-q", "-m", marked, "-p", "no:cacheprovider", "-rfE"]
        options += ["-p", "benchmarks.gpu.outcomes", "--outcomes", str(kept)]
        options += ["--continue-on-collection-errors", "--timeout=120", *([] if toy else ["-n", str(PROCESSES)])]
        command = [sys.executable, "-m", "pytest", *options, *map(str, tests)]
        try:
            status = subprocess.run(command, cwd=TESTS.parent, timeout=seconds).returncode
        except subprocess.TimeoutExpired:
            status = None
        collected, outcomes = read_outcomes(kept)
    counts = {kind: sum(each["outcome"] == kind for each in outcomes) for kind in ("passed", "failed", "skipped")}
    return {
        "benchmark": "gpu-tests",
        "date": today(),
        **on_what(device),
        "protocol": {"marked": marked, "exit_status": status},
        "counts": {**counts, "not_run": max(0, collected - len(outcomes))},
        "results": outcomes,
    }


def files_with_gpu_tests() -> list[Path]:
    """The files with tests marked `gpu`; others may import packages that are missing."""
    return [path for path in sorted(TESTS.rglob("test_*.py")) if _names_the_marker(ast.parse(path.read_text()))]


def _names_the_marker(module: ast.Module) -> bool:
    return any(isinstance(node, ast.Attribute) and node.attr == "gpu" for node in ast.walk(module))
