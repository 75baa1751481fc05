"""Tests of the imports between layers, read from the source of every module."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import lgq_explore

PACKAGE = Path(lgq_explore.__file__).parent

# The layers of the package that each layer may import, besides itself. A module at the top level that is not
# named here (errors.py and such) is a helper: everybody may import it, and it imports other helpers only.
MAY_IMPORT: dict[str, set[str]] = {
    "quantizers": set(),
    "models": {"quantizers"},
    "metrics": set(),
    "images": set(),
    "frames": set(),
    "runs": {"quantizers", "models", "metrics", "images", "frames"},
    "training": {"quantizers", "models", "metrics", "images", "runs"},
    "contract": {"quantizers", "models", "runs", "training"},
    "statistics": set(),
    "analysis": {"quantizers", "models", "metrics", "images", "runs", "training", "frames", "statistics"},
    "plots": {"frames"},
    "report": {"runs", "frames", "statistics", "analysis", "plots"},
    "widgets": {"quantizers", "models", "images", "runs", "training", "frames", "analysis", "plots"},
    "bench": {
        "quantizers",
        "models",
        "metrics",
        "images",
        "runs",
        "training",
        "statistics",
        "frames",
        "analysis",
        "plots",
    },
    "sweeps": {"quantizers", "models", "metrics", "images", "runs", "training", "bench"},
    "cli": {"quantizers", "models", "metrics", "images", "runs", "training", "analysis", "report", "bench", "sweeps"},
    "__main__": {"cli"},
    "__init__": set(),
}

SHOWS = {"report", "plots", "widgets"}

WRITTEN_FOR_GPUS = {Path(f"quantizers/soft_assignment/triton_{part}.py") for part in ("backend", "kernels", "steps")}

DRAWING_AND_NOTEBOOKS = {
    "anywidget",
    "ipykernel",
    "IPython",
    "ipywidgets",
    "jupyterlab",
    "kaleido",
    "matplotlib",
    "nbclient",
    "nbformat",
    "plotly",
    "seaborn",
    "traitlets",
}


@dataclass(frozen=True)
class Import:
    """One import statement (or ``import_module`` of a literal name) of a module of the package."""

    file: Path  # relative to the package
    line: int
    target: str  # absolute dotted name
    in_function: bool

    @property
    def importer(self) -> str:
        """The layer that imports: a subpackage, or a module at the top level."""
        return self.file.parts[0] if len(self.file.parts) > 1 else self.file.stem

    @property
    def package(self) -> str:
        """The package imported from: lgq_explore, or one that is not ours."""
        return self.target.partition(".")[0]

    @property
    def layer(self) -> str:
        """The layer of ours that is imported; empty for the front, lgq_explore itself."""
        return self.target.partition(".")[2].partition(".")[0]


def imports_of(root: Path) -> Iterator[Import]:
    """Every import under the package folder ``root``, wherever in a module it stands."""
    for path in sorted(root.rglob("*.py")):
        file = path.relative_to(root)
        yield from _imports_below(ast.parse(path.read_text(encoding="utf-8")), file, in_function=False)


def _imports_below(node: ast.AST, file: Path, *, in_function: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        for target in _targets(child, file):
            yield Import(file, child.lineno, target, in_function)
        is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from _imports_below(child, file, in_function=in_function or is_function)


def _targets(node: ast.AST, file: Path) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [name.name for name in names]
        case ast.ImportFrom(module=module, names=names, level=level):
            above = ["lgq_explore", *file.parent.parts]
            parts = above[: len(above) - level + 1] if level else []
            base = ".".join([*parts, module] if module else parts)
            # From the front the name says what is meant; everywhere else the module does.
            return [f"{base}.{name.name}" for name in names] if base == "lgq_explore" else [base]
        case ast.Call(
            func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
            args=[ast.Constant(value=str(target)), *_],
        ):
            return [target]
    return []


def violations(root: Path) -> list[str]:
    """A line for each import under ``root`` against the arrows: which file imports what, what it may."""
    helpers = {path.stem for path in root.glob("*.py")} - MAY_IMPORT.keys()
    found = []
    for statement in imports_of(root):
        remedy = _objection(statement, helpers)
        if remedy:
            found.append(f"{statement.file}:{statement.line} imports {statement.target}: {remedy}")
    return found


def _objection(statement: Import, helpers: set[str]) -> str:
    importer = statement.importer
    if importer not in MAY_IMPORT and importer not in helpers:
        return f"{importer} is a new layer: add it to MAY_IMPORT"
    if statement.target == "lgq_explore.__version__":
        return ""
    if statement.package == "lgq_explore":
        allowed = {importer} | MAY_IMPORT.get(importer, set()) | helpers
        if statement.layer not in allowed:
            return f"{importer} may import {', '.join(sorted(allowed))} only"
        if importer == "cli" and statement.layer in SHOWS and not statement.in_function:
            return "the command line imports what draws inside the command that draws"
        return ""
    if statement.file in WRITTEN_FOR_GPUS and statement.package == "triton":
        return ""
    if importer == "quantizers" and statement.package not in {"torch", "einops", *sys.stdlib_module_names}:
        return "quantizers import torch and einops only"
    if importer == "statistics" and statement.package not in {"numpy", "scipy", *sys.stdlib_module_names}:
        return "statistics import numpy and scipy only"
    if importer not in SHOWS and statement.package in DRAWING_AND_NOTEBOOKS:
        return f"{importer} works where no plotting or notebook package is installed"
    if statement.package == "umap" and not (importer == "analysis" and statement.in_function):
        return "UMAP belongs inside a function of analysis: it is slow to import and not always installed"
    return ""


def test_the_package_follows_the_arrows() -> None:
    found = violations(PACKAGE)
    assert not found, "\n" + "\n".join(found)


def test_the_reading_sees_the_package() -> None:
    """An empty reading would pass every rule."""
    assert {statement.importer for statement in imports_of(PACKAGE)} >= {"__init__", "quantizers", "training"}


@pytest.mark.parametrize(
    ("file", "source", "told"),
    [
        ("quantizers/methods/lgq.py", "from lgq_explore.models import tokenizer", "imports lgq_explore.models:"),
        ("quantizers/methods/lgq.py", "from ...models.tokenizer import encode", "lgq_explore.models.tokenizer:"),
        ("quantizers/methods/lgq.py", "import numpy", "quantizers import torch and einops only"),
        ("quantizers/methods/lgq.py", "import triton", "quantizers import torch and einops only"),
        ("statistics/means.py", "import pandas", "statistics import numpy and scipy only"),
        ("statistics/means.py", "from ..runs.run import Run", "imports lgq_explore.runs.run:"),
        ("metrics/usage.py", "from .. import training", "imports lgq_explore.training:"),
        ("models/tokenizer.py", "import lgq_explore", "imports lgq_explore:"),
        ("models/tokenizer.py", "from .. import train", "imports lgq_explore.train:"),
        ("training/loop.py", "def draw():\n    import plotly.express", "no plotting or notebook package"),
        ("training/loop.py", "if TYPE_CHECKING:\n    from ..analysis import usage", "lgq_explore.analysis:"),
        ("runs/run.py", "importlib.import_module('lgq_explore.plots')", "imports lgq_explore.plots:"),
        ("analysis/geometry.py", "import umap", "inside a function of analysis"),
        ("plots/usage.py", "from ..analysis.usage import usage", "lgq_explore.analysis.usage:"),
        ("frames/usage.py", "from ..runs.study import Study", "lgq_explore.runs.study:"),
        ("training/loop.py", "from ..frames.health import PANELS", "lgq_explore.frames.health:"),
        ("widgets/panel.py", "from lgq_explore.metrics import perplexity", "imports lgq_explore.metrics:"),
        ("cli.py", "from lgq_explore.report import page", "inside the command that draws"),
        ("errors.py", "from lgq_explore.cli import main", "imports lgq_explore.cli:"),
        ("serving/http.py", "import json", "serving is a new layer"),
    ],
)
def test_an_import_against_the_arrows_is_told(tmp_path: Path, file: str, source: str, told: str) -> None:
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(source)
    (found,) = violations(tmp_path)
    assert found.startswith(f"{file}:")
    assert told in found


@pytest.mark.parametrize(
    ("file", "source"),
    [
        (
            "quantizers/methods/lgq.py",
            "import math\nimport torch\nfrom ...errors import InputError\nfrom .. import base",
        ),
        ("training/loop.py", "from lgq_explore.quantizers import base\nfrom ..metrics import usage"),
        ("analysis/geometry.py", "def embed():\n    import umap"),
        ("plots/usage.py", "from lgq_explore.frames.usage import BY_RANK"),
        ("widgets/panel.py", "import plotly\nfrom ..plots import usage\nfrom ..training.loop import train"),
        ("cli.py", "def compare():\n    from .report import page"),
        ("__main__.py", "from lgq_explore.cli import main"),
        ("runs/run.py", "from lgq_explore import __version__"),
    ],
)
def test_an_import_along_the_arrows_passes(tmp_path: Path, file: str, source: str) -> None:
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "errors.py").touch()
    (tmp_path / file).write_text(source)
    assert violations(tmp_path) == []
