"""Fixtures and hooks of all tests: data of their own, long files first, GPU tests, and no skipped test in CI."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def own_data_and_no_network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Data and weights in folders of the module's own, and a network that refuses every connection."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LGQ_EXPLORE_DATA", str(tmp_path_factory.mktemp("data")))
        patch.setenv("TORCH_HOME", str(tmp_path_factory.mktemp("no-weights")))
        for name in ("no_proxy", "NO_PROXY"):
            patch.delenv(name, raising=False)
        for name in ("http_proxy", "https_proxy"):
            patch.setenv(name, "http://127.0.0.1:9")
        yield


LONG = ("slow", "browser", "notebook")
"""Marks of tests that take long."""


@pytest.hookimpl(tryfirst=True)  # before -m selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of long tests come first, so that no process has one left when the other has none."""
    marks = defaultdict[Path, set[str]](set)
    for item in items:
        if item.path.suffix == ".ipynb":
            item.add_marker("notebook")
            item.add_marker("slow")
        marks[item.path].update(name for name in LONG if item.get_closest_marker(name))
    items.sort(key=lambda item: -len(marks[item.path]))


@pytest.hookimpl(optionalhook=True)  # of xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Each process takes a file at a time. The notebooks count as one file: they train the same runs in one folder."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return "notebooks" if file.endswith(".ipynb") else file

    return Scheduling(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device")


def pytest_configure(config: pytest.Config) -> None:
    is_xdist_worker = hasattr(config, "workerinput")
    if os.environ.get("CI") == "true" and not is_xdist_worker:
        config.pluginmanager.register(SkippedTestsFail())


class SkippedTestsFail:
    """Fails a session that skipped anything but tests marked gpu: a green run has run all that it could.

    A plugin object, since hooks of this file are not told about notebooks outside of its folder.
    """

    def __init__(self) -> None:
        self.skipped: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        expected_failure = hasattr(report, "wasxfail")  # pytest reports these as skipped, too
        if report.skipped and not expected_failure and "gpu" not in report.keywords:
            self.skipped.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.skipped.append(report.nodeid)

    @pytest.hookimpl(tryfirst=True)  # before the terminal reporter prints the summary
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if self.skipped and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.skipped:
            terminalreporter.section("skipped in CI without the gpu marker: a failure", red=True)
            for nodeid in self.skipped:
                terminalreporter.line(nodeid)
