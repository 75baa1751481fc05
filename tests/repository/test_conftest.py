"""Tests of the conftest.py of all tests, run on folders of small ones: their order, their process, and skips in CI."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]


def run_on(folder: Path, *arguments: str, ci: str = "true") -> subprocess.CompletedProcess[str]:
    """pytest with this project's conftest.py on a folder of small tests."""
    shutil.copy(ROOT / "tests" / "conftest.py", folder)
    marks = ("gpu: needs a CUDA device", "slow: takes long", "browser: drives one")
    (folder / "pytest.ini").write_text("\n    ".join(["[pytest]\nmarkers =", *marks]))
    environment = os.environ | {"CI": ci, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", *arguments, str(folder)]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def write_notebook(path: Path) -> None:
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import time\ntime.sleep(1)")]), path)


def test_files_of_long_tests_come_first(tmp_path: Path) -> None:
    marked = "import pytest\ndef test_short(): pass\n@pytest.mark.{}\ndef test_long(): pass\n"
    for name, mark in (("b", "slow"), ("d", "browser"), ("e", "slow\n@pytest.mark.browser")):
        (tmp_path / f"test_{name}.py").write_text(marked.format(mark))
    for name in ("a", "c"):
        (tmp_path / f"test_{name}.py").write_text("def test_short(): pass\n")
    write_notebook(tmp_path / "test_f.ipynb")
    done = run_on(tmp_path, "-p", "nbval.plugin", "--nbval", "--collect-only", "-q")
    collected = [line.split("::") for line in done.stdout.splitlines() if "::" in line]
    assert [Path(names[0]).stem for names in collected] == [f"test_{name}" for name in "eefbbddac"]
    assert [names[-1] for names in collected[:2]] == ["test_short", "test_long"], "tests of a file stay as they are"


@pytest.mark.slow
def test_all_notebooks_go_to_one_process(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_notebook(tmp_path / f"{name}.ipynb")
    plugins = ("-p", "xdist", "-p", "nbval.plugin")
    done = run_on(tmp_path, *plugins, "-n", "2", "--dist", "loadfile", "--nbval", "--nbval-current-env", "-v")
    assert done.returncode == 0, done.stdout
    processes = re.findall(r"^\[(gw\d)\] .*PASSED", done.stdout, re.MULTILINE)
    assert len(processes) == 2
    assert len(set(processes)) == 1


class TestSkipsInCI:
    HARMLESS = """
import pytest
def test_good():
    pass
@pytest.mark.xfail
def test_known():
    assert False
@pytest.mark.gpu
def test_kernel():
    pytest.skip("no device")
"""
    SKIPPED = """
@pytest.mark.skip
def test_by_mark():
    pass
def test_by_call():
    pytest.skip("no reason")
"""

    @pytest.mark.parametrize("arguments", [(), ("-p", "xdist", "-n", "2")], ids=["one process", "xdist"])
    @pytest.mark.slow
    def test_every_skip_is_named_and_fails(self, tmp_path: Path, arguments: tuple[str, ...]) -> None:
        (tmp_path / "test_some.py").write_text(self.HARMLESS + self.SKIPPED)
        (tmp_path / "test_none.py").write_text("import pytest\npytest.importorskip('no_such_package')\n")
        done = run_on(tmp_path, *arguments)
        assert done.returncode == pytest.ExitCode.TESTS_FAILED
        section = done.stdout.partition("without the gpu marker: a failure")[2].partition("\n===")[0]
        named = set(re.findall(r"^test_\S+", section, re.MULTILINE))
        assert named == {"test_none.py", "test_some.py::test_by_mark", "test_some.py::test_by_call"}
        assert "1 passed, 4 skipped, 1 xfailed" in done.stdout.splitlines()[-1]

    @pytest.mark.slow
    def test_a_skip_for_want_of_a_gpu_is_fine(self, tmp_path: Path) -> None:
        (tmp_path / "test_some.py").write_text(self.HARMLESS)
        assert run_on(tmp_path).returncode == 0

    @pytest.mark.slow
    def test_elsewhere_a_skip_is_a_skip(self, tmp_path: Path) -> None:
        (tmp_path / "test_some.py").write_text(self.HARMLESS + self.SKIPPED)
        assert run_on(tmp_path, ci="").returncode == 0
