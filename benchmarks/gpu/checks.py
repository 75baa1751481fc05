"""Runs the tests that need a GPU."""

from __future__ import annotations

import ast
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import torch

from lgq_explore.bench.results import today

from .clock import on_what

TESTS = Path(__file__).parents[2] / "tests"
PROCESSES = 8
"""Processes that share the GPU; most of the time is spent on compiling kernels."""
TOY_TESTS = ("metrics/test_usage.py",)


def run_checks(device: torch.device, seconds: float, toy: bool) -> dict[str, Any]:
    """The outcome and seconds of every test marked `gpu`; with `toy`, of tests that need no GPU."""
    tests = [TESTS / name for name in TOY_TESTS] if toy else files_with_gpu_tests()
    marked = "not gpu and not slow" if toy else "gpu"
    with tempfile.TemporaryDirectory(prefix="lgq-explore-gpu-") as folder:
        report = Path(folder) / "report.xml"
        options = ["-q", "-m", marked, "-p", "no:cacheprovider", "-rfE", f"--junit-xml={report}"]
        options += ["--continue-on-collection-errors", "--timeout=120", *([] if toy else ["-n", str(PROCESSES)])]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *map(str, tests)], cwd=TESTS.parent, timeout=seconds
        )
        outcomes = read_report(report)
    counts = {kind: sum(each["outcome"] == kind for each in outcomes) for kind in ("passed", "failed", "skipped")}
    return {
        "benchmark": "gpu-tests",
        "date": today(),
        **on_what(device),
        "protocol": {"marked": marked, "exit_status": done.returncode},
        "counts": counts,
        "results": outcomes,
    }


def files_with_gpu_tests() -> list[Path]:
    """The files with tests marked `gpu`; others may import packages that are missing."""
    return [path for path in sorted(TESTS.rglob("test_*.py")) if _names_the_marker(ast.parse(path.read_text()))]


def _names_the_marker(module: ast.Module) -> bool:
    return any(isinstance(node, ast.Attribute) and node.attr == "gpu" for node in ast.walk(module))


def read_report(path: Path) -> list[dict[str, Any]]:
    """The name, outcome, seconds and first line of a failure of each test in a JUnit report."""
    outcomes = []
    for case in ElementTree.parse(path).iter("testcase"):
        told = next((child for child in case if child.tag in ("failure", "error", "skipped")), None)
        outcome = (
            {"failure": "failed", "error": "failed", "skipped": "skipped"}[told.tag] if told is not None else "passed"
        )
        message = (told.get("message") or "").splitlines()[:3] if told is not None else []
        outcomes.append(
            {
                "test": f"{case.get('classname', '')}::{case.get('name')}",
                "outcome": outcome,
                "seconds": float(case.get("time") or 0),
                "told": " ".join(message) or None,
            }
        )
    return outcomes
