"""Tests of the training side where only its own dependencies are installed, as on a GPU server.

Such a machine is a folder of links to the installed packages that pyproject.toml's dependencies lead to, and
nothing else: what is missing there is missing for ``import`` and for packages that ask what is installed
alike (torchmetrics, for one, imports matplotlib wherever it is installed).
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def needed_distributions(requirements: list[str]) -> set[str]:
    """Normalised names of all distributions that the requirements lead to on this machine."""
    needed: set[str] = set()
    seen: set[tuple[str, str]] = set()  # a name, and one of its extras or ""
    queue = [(Requirement(line), "") for line in requirements]
    while queue:
        requirement, for_extra = queue.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": for_extra}):
            continue
        name = canonicalize_name(requirement.name)
        needed.add(name)
        for extra in {"", *requirement.extras}:
            if (name, extra) not in seen:
                seen.add((name, extra))
                queue += [(Requirement(line), extra) for line in distribution(name).requires or []]
    return needed


@pytest.fixture(scope="module")
def bare_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like site-packages with the training side's packages alone, and without Triton, as where no CUDA is."""
    folder = tmp_path_factory.mktemp("bare") / "site-packages"
    folder.mkdir()
    for name in needed_distributions(PROJECT["dependencies"]) - {"triton"}:
        installed = distribution(name)
        for top in {file.parts[0] for file in installed.files or []} - {"..", "__pycache__"}:
            link = folder / top
            if not link.exists():
                link.symlink_to(Path(str(installed.locate_file(top))))
    return folder


def run_bare(bare_packages: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Python without site-packages (-S), on the bare packages and this checkout."""
    environment = {
        "PYTHONPATH": f"{bare_packages}:{ROOT}",
        "OMP_NUM_THREADS": "1",
        "LGQ_EXPLORE_DATA": str(cwd / "data"),
        "HOME": str(cwd),
        "PATH": "/usr/bin:/bin",
    }
    command = [sys.executable, "-S", "-s", *arguments]
    return subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True)


def test_no_notebook_package_comes_along() -> None:
    """Not even through a dependency of a dependency."""
    extra = PROJECT["optional-dependencies"]["notebook"]
    notebook = {canonicalize_name(Requirement(line).name) for line in extra}
    needed = needed_distributions(PROJECT["dependencies"])
    assert needed & (notebook | {"matplotlib", "ipython", "ipykernel", "traitlets"}) == set()
    assert {"torch", "networkx", "fsspec"} <= needed  # the walk goes below the direct dependencies


@pytest.mark.slow
def test_every_module_of_the_training_side_imports(bare_packages: Path, tmp_path: Path) -> None:
    program = """
import pkgutil, importlib, importlib.util
assert not any(map(importlib.util.find_spec, ("matplotlib", "plotly", "triton")))
import lgq_explore
for module in pkgutil.walk_packages(lgq_explore.__path__, "lgq_explore."):
    top, name = module.name.split(".")[1], module.name.split(".")[-1]
    if top not in {"plots", "report", "widgets", "__main__"} and not name.startswith("triton_"):
        importlib.import_module(module.name)
        print(module.name)
"""
    done = run_bare(bare_packages, "-c", program, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {"lgq_explore.cli", "lgq_explore.training.loop"} <= set(done.stdout.split())


@pytest.mark.slow
def test_two_steps_train_open_again_and_are_judged(bare_packages: Path, tmp_path: Path) -> None:
    program = """
import sys
import lgq_explore as lgq
config = lgq.TrainConfig(data="fake", image_size=32, steps=2, batch_size=4, log_steps=1)
lgq.train(config, "run", device="cpu", progress=False)
run = lgq.open_run("run")
print(run.finished_steps, list(run.history()["step"]), len(run.tokenizer().quantizer.codebooks()))
from lgq_explore.cli import main
sys.exit(main(["health", "run"]))
"""
    done = run_bare(bare_packages, "-c", program, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 [1, 2] 1" in done.stdout.split("\n")
    assert "training unfinished?" in done.stdout


def test_the_command_line_starts(bare_packages: Path, tmp_path: Path) -> None:
    done = run_bare(bare_packages, "-m", "lgq_explore", "list", "quantizers", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "lgq" in done.stdout
