"""A pytest plugin that writes the outcome of each test as soon as it is known, so that none is lost if time runs out.

    python -m pytest -p benchmarks.gpu.outcomes --outcomes FILE

writes a line of JSON for the number of collected tests, and one for the outcome of each test; one more for a set-up or
teardown that does not pass.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--outcomes", type=Path, metavar="FILE", help="write outcomes as they come")


def pytest_configure(config: pytest.Config) -> None:
    path = config.getoption("--outcomes")
    if path is not None and not hasattr(config, "workerinput"):  # not in the workers of pytest-xdist
        config.pluginmanager.register(_Outcomes(path))


class _Outcomes:
    def __init__(self, path: Path) -> None:
        self._path = path

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._write({"collected": len(session.items)})

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Sequence[str]) -> None:
        self._write({"collected": len(ids)})

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._write(_told(report, 0.0))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or not report.passed:
            self._write(_told(report, report.duration))

    def _write(self, line: dict[str, Any]) -> None:
        with self._path.open("a") as file:
            file.write(f"{json.dumps(line)}\n")


def _told(report: pytest.CollectReport | pytest.TestReport, seconds: float) -> dict[str, Any]:
    crash = getattr(report.longrepr, "reprcrash", None)
    told = None if report.passed else crash.message if crash else str(report.longrepr)
    lines = None if told is None else " ".join(told.splitlines()[:3])
    return {"test": report.nodeid, "outcome": report.outcome, "seconds": seconds, "told": lines}


def read_outcomes(path: Path) -> tuple[int, list[dict[str, Any]]]:
    """The number of collected tests, and one outcome of each that ended: its worst part's."""
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    outcomes: dict[str, dict[str, Any]] = {}
    for line in lines:
        if "test" in line and outcomes.get(line["test"], {"outcome": "passed"})["outcome"] == "passed":
            outcomes[line["test"]] = line
    return max((line["collected"] for line in lines if "collected" in line), default=0), list(outcomes.values())
