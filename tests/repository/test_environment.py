"""Tests of the set-up on a fresh machine: pinned packages and make targets."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from itertools import chain
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def direct() -> dict[str, Requirement]:
    """What pyproject.toml asks for, with the extras that `make lab` installs, by normalised name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (extras,) = re.findall(r"^EXTRAS := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    lines = chain(project["dependencies"], *(project["optional-dependencies"][extra] for extra in extras.split(",")))
    return {canonicalize_name(requirement.name): requirement for requirement in map(Requirement, lines)}


@pytest.fixture(scope="module")
def pins() -> dict[str, str]:
    """constraints.txt: normalised name to version."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


class TestConstraints:
    def test_names_and_versions_only(self) -> None:
        pin = re.compile(r"#.*|[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*")
        lines = (ROOT / "constraints.txt").read_text().splitlines()
        assert [line for line in lines if not pin.fullmatch(line)] == []

    def test_every_direct_dependency_is_pinned_within_its_range(
        self, direct: dict[str, Requirement], pins: dict[str, str]
    ) -> None:
        assert direct.keys() - pins.keys() == set()
        assert [str(r) for name, r in direct.items() if pins[name] not in r.specifier] == []

    def test_what_only_some_platforms_have_is_left_to_torch(self, pins: dict[str, str]) -> None:
        assert [name for name in pins if name.startswith(("cuda", "nvidia", "triton"))] == []


class TestConda:
    @pytest.fixture
    def by_pip(self) -> list[str]:
        environment = yaml.safe_load((ROOT / "environment.yml").read_text())
        assert environment["name"] == "lgq_explore"
        (nested,) = (entry for entry in environment["dependencies"] if isinstance(entry, dict))
        return nested["pip"]

    def test_same_set_as_pyproject(
        self, by_pip: list[str], direct: dict[str, Requirement], pins: dict[str, str]
    ) -> None:
        listed = [Requirement(line) for line in by_pip if not line.startswith("--")]
        versions = {canonicalize_name(r.name): str(r.specifier).removeprefix("==") for r in listed}
        assert len(versions) == len(listed)
        assert versions == {name: pins[name] for name in direct}

    def test_same_pins_and_the_package_itself(self, by_pip: list[str]) -> None:
        options = {line for line in by_pip if line.startswith("--")}
        assert options == {"--constraint constraints.txt", "--editable ."}

    def test_promised_packages(self, by_pip: list[str]) -> None:
        promised = {"torch", "torchvision", "jupyterlab", "ipywidgets", "plotly", "seaborn", "umap-learn"}
        assert promised | {"scikit-learn", "nbval", "pytest"} <= {line.partition("==")[0] for line in by_pip}


class TestExtras:
    @pytest.fixture
    def extras(self) -> dict[str, list[Requirement]]:
        declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        return {extra: list(map(Requirement, lines)) for extra, lines in declared.items()}

    def test_those_that_a_message_names_are_there(self, extras: dict[str, list[Requirement]]) -> None:
        sources = [path.read_text() for path in (ROOT / "lgq_explore").rglob("*.py")]
        named = {extra for source in sources for extra in re.findall(r'require_package\([^,]+, "(\w+)"', source)}
        assert named == {"fd", "fid"}
        assert named <= extras.keys()

    def test_inception_s_is_what_torchmetrics_asks_for(self, extras: dict[str, list[Requirement]]) -> None:
        (own,) = extras["fid"]
        asked = [Requirement(line) for line in metadata.requires("torchmetrics") or []]
        (needed,) = (
            each for each in asked if each.name == own.name and "'image'" in str(each.marker).replace('"', "'")
        )
        newest = str(needed.specifier).removeprefix("<=")
        assert newest in needed.specifier
        assert newest in own.specifier


def test_a_wheel_holds_the_whole_package(tmp_path: Path) -> None:
    """Every file of the package is in the wheel: modules, stub, type marker, scripts and styles."""
    source = tmp_path / "source"
    no_caches = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "lgq_explore", source / "lgq_explore", ignore=no_caches)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    wheels = tmp_path / "wheels"
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(source)]
    subprocess.run([sys.executable, "-m", "pip", *build], check=True)
    (wheel,) = wheels.iterdir()
    shipped = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("lgq_explore/")}
    files = (path for path in (source / "lgq_explore").rglob("*") if path.is_file())
    assert shipped == {path.relative_to(source).as_posix() for path in files}


class TestMake:
    @pytest.fixture
    def checkout(self, tmp_path: Path) -> Path:
        for name in ("Makefile", "pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / name, tmp_path)
        return tmp_path

    @staticmethod
    def make(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["make", *arguments], cwd=checkout, capture_output=True, text=True)

    def test_bare_make_lists_the_targets(self, checkout: Path) -> None:
        listed = re.findall(r"^make ([a-z-]+)", self.make(checkout).stdout, re.MULTILINE)
        assert {"lab", "test", "test-fast", "lint", "notebooks", "clean"} <= set(listed)

    def test_an_old_python_gets_one_line_and_leaves_nothing(self, checkout: Path) -> None:
        old_python = checkout / "python3.10"
        old_python.write_text("#!/bin/sh\nexit 1\n")
        old_python.chmod(0o755)
        done = self.make(checkout, "lab", f"PYTHON={old_python}")
        assert done.returncode != 0
        told = [line for line in done.stderr.splitlines() if not line.startswith("make")]
        assert len(told) == 1
        assert "Python 3.11 or newer" in told[0]
        assert str(old_python) in told[0]
        assert not (checkout / ".venv").exists()

    def test_an_interrupted_install_is_not_taken_for_done(self, checkout: Path) -> None:
        """A python that makes an environment whose pip fails, as an interrupt or a lost network would."""
        python = checkout / "python3.11"
        python.write_text(
            '#!/bin/sh\n[ "$2" = venv ] || exit 0\nmkdir -p .venv/bin\n'
            'printf "#!/bin/sh\\nexit 1" > .venv/bin/python\nchmod +x .venv/bin/python\n'
        )
        python.chmod(0o755)
        for _ in range(2):
            done = self.make(checkout, ".venv/installed", f"PYTHON={python}")
            assert done.returncode != 0
            assert "Setting up .venv" in done.stdout
            assert not (checkout / ".venv" / "installed").exists()

    STUB = """#!/bin/sh
case "$*" in
    *"-m venv --clear"*)
        echo cleared >> log
        rm -rf .venv
        mkdir -p .venv/bin
        printf '#!/bin/sh\\n' > .venv/bin/jupyter
        chmod +x .venv/bin/jupyter
        ;;
    *"--editable"*)
        echo "pip begins" >> log
        # The other make is waiting by now, or will find the lock taken until this one has ended.
        until grep -q waiting second || [ -n "$ALONE" ]; do sleep 0.05; done
        echo "pip ends" >> log
        ;;
esac
"""

    def set_up(self, checkout: Path, **environment: str) -> list[str]:
        stub = checkout / "stub"
        stub.write_text(self.STUB)
        stub.chmod(0o755)
        self.environment = os.environ | environment
        return ["make", ".venv/installed", f"PYTHON={stub}", f"PIP={stub} -m pip install"]

    def test_of_two_at_once_one_sets_up_and_the_other_waits(self, checkout: Path) -> None:
        command = self.set_up(checkout)
        second = checkout / "second"
        second.touch()
        with subprocess.Popen(command, cwd=checkout, env=self.environment) as first:
            while not (checkout / "log").exists():
                assert first.poll() is None
            with second.open("w") as told:
                done = subprocess.run(command, cwd=checkout, env=self.environment, stdout=told, check=False)
        assert (first.returncode, done.returncode) == (0, 0)
        assert (checkout / "log").read_text().splitlines() == ["cleared", "pip begins", "pip ends"]
        assert "is setting up .venv: waiting for it." in second.read_text()
        assert not os.path.lexists(checkout / ".venv.lock")

    @pytest.mark.parametrize("ci", ["", "true"])
    def test_each_step_is_said_but_not_in_ci(self, checkout: Path, ci: str) -> None:
        command = self.set_up(checkout, ALONE="yes", CI=ci)
        done = subprocess.run(command, cwd=checkout, env=self.environment, capture_output=True, text=True, check=True)
        said = re.findall(r"^(\d) of 3: (\w+)", done.stdout, re.MULTILINE)
        assert said == ([] if ci else [("1", "pip"), ("2", "the"), ("3", "JupyterLab")])

    def test_the_lock_of_one_that_was_killed_is_taken_over(self, checkout: Path) -> None:
        command = self.set_up(checkout, ALONE="yes")
        with subprocess.Popen(["true"]) as ended:
            pass
        (checkout / ".venv.lock").symlink_to(str(ended.pid))
        done = subprocess.run(command, cwd=checkout, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "waiting" not in done.stdout
        assert not os.path.lexists(checkout / ".venv.lock")
