"""Tests that one file and one line add a quantizer, a term of the loss, a source, a metric or an analysis.

Each is added to a copy of the package, with the import that its line needs, and used by processes that see the copy.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

import lgq_explore

PACKAGE = Path(lgq_explore.__file__).parent
PLANTED_METHOD = Path(__file__).parents[1] / "planted_methods" / "cosine.py"
QUICK = ("--without", "fd", "--without", "lpips")
TINY = (
    "--device",
    "cpu",
    "--data",
    "fake",
    "--image-size",
    "16",
    "--steps",
    "2",
    "--batch-size",
    "4",
    "--codebook-size",
    "16",
)

COMMANDS = """
import io, json, sys
from contextlib import redirect_stdout
from lgq_explore.cli import main
commands, program = json.loads(sys.argv[1])
printed = []
for arguments in commands:
    with redirect_stdout(io.StringIO()) as shown:
        assert main(arguments) == 0
    printed.append(shown.getvalue())
with redirect_stdout(io.StringIO()) as shown:
    exec(program, {})
print(json.dumps([*printed, shown.getvalue()]))
"""

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Copy:
    """A copy of the package in a folder of its own, and what its processes print."""

    folder: Path

    def add(self, module: str, source: str, registry: str, after: str, line: str, imported: str) -> None:
        """Write a module, and register it by a line below the first one that reads `after`."""
        (self.folder / "lgq_explore" / module).write_text(source)
        path = self.folder / "lgq_explore" / registry
        lines = path.read_text().splitlines()
        lines.insert(lines.index(after) + 1, line)
        first_list = next(number for number, each in enumerate(lines) if each.endswith(("= {", "= [", "= (")))
        lines.insert(first_list, imported)
        path.write_text("\n".join(lines) + "\n")

    def commands(self, *commands: Sequence[str], then: str = "") -> list[str]:
        """What each command of the command line prints, and a program `then`: all in one process, which imports torch
        once.
        """
        environment = {**os.environ, "PYTHONPATH": str(self.folder), "LGQ_EXPLORE_DATA": str(self.folder / "data")}
        arguments = [sys.executable, "-c", COMMANDS, json.dumps([commands, then])]
        done = subprocess.run(arguments, env=environment, cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        printed: list[str] = json.loads(done.stdout)
        return printed


@pytest.fixture
def package(tmp_path: Path) -> Copy:
    shutil.copytree(PACKAGE, tmp_path / "lgq_explore", ignore=shutil.ignore_patterns("__pycache__"))
    return Copy(tmp_path)


def test_a_quantizer(package: Copy) -> None:
    package.add(
        "quantizers/methods/cosine.py",
        PLANTED_METHOD.read_text(),
        "quantizers/__init__.py",
        after="        VQGradientConfig,",
        line="        CosineConfig,",
        imported="from .methods.cosine import CosineConfig",
    )
    program = """
import lgq_explore as lgq
from lgq_explore.plots.style import method_colour
panel = lgq.widgets.UsageExplorer("run")
assert panel.frame()["count"].sum() > 0 and "planted-cosine" in panel.caption()
print(len({method_colour(name) for name in ("planted-cosine", "lgq", "fsq", "simvq", "vq")}))
"""
    listed, _, compared, colours = package.commands(
        ("list", "quantizers"),
        ("train", "--quantizer", "planted-cosine", "--run", "run", *TINY),
        ("bench", "quantizers", "--quantizers", "planted-cosine", "--seeds", "1", "--json", *TINY, *QUICK),
        then=program,
    )
    assert "planted-cosine" in listed
    (result,) = json.loads(compared)["results"]
    assert (result["quantizer"], result["codebook_size"], result["steps"]) == ("planted-cosine", 16, 2)
    assert colours == "5\n"


def test_a_term_of_the_loss(package: Copy) -> None:
    source = '''"""The squared mean of the reconstruction."""

from __future__ import annotations

from torch import Tensor

from .base import Objective, TrainingPass


class SquaredMean(Objective):
    def loss(self, training_pass: TrainingPass) -> Tensor:
        return training_pass.output.reconstruction.float().mean().square()
'''
    evaluate = ("evaluate", "before", "--crops", "8", "--json", *QUICK)
    _, before, _ = package.commands(("train", "--quantizer", "lgq", "--run", "before", *TINY), evaluate)
    package.add(
        "training/objectives/squared_mean.py",
        source,
        "training/objectives/__init__.py",
        after='    "l1": L1,',
        line='    "squared-mean": SquaredMean,',
        imported="from .squared_mean import SquaredMean",
    )
    weights = {"l1": 1, "squared-mean": 0.5, "quantization": 1, "peakedness": 0.005, "usage": 0.005}
    weighted = ("--set", f"loss_weights={json.dumps(weights)}")
    again, *_ = package.commands(evaluate, ("train", "--quantizer", "lgq", "--run", "after", *TINY, *weighted))
    assert json.loads(again) == json.loads(before)
    header, row = (package.folder / "after" / "history.csv").read_text().splitlines()[:2]
    assert float(dict(zip(header.split(","), row.split(","), strict=True))["loss_squared-mean"]) > 0


def test_a_source(package: Copy) -> None:
    source = '''"""Pictures of noise without an end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..source import Crops, Source, SourceKind


class Noise(SourceKind):
    form = "noise"
    description = "pictures of noise without an end"

    def open(self, argument: str, image_size: int, *, seed: int, split: bool) -> Source:
        return NoiseSource(image_size, seed)


class NoiseSource(Source):
    spec = identity = "noise"

    def __init__(self, image_size: int, seed: int) -> None:
        self.size, self.seed = image_size, seed

    def batch(self, step: int, rows: Sequence[int]) -> Tensor:
        return torch.stack([self._picture(self.seed, step, row) for row in rows])

    def held_out(self, limit: int) -> Crops:
        return Crops.unnamed(torch.stack([self._picture(2**62, 0, row) for row in range(min(limit, 8))]))

    def _picture(self, *key: int) -> Tensor:
        drawn = np.random.default_rng(key).integers(0, 256, (3, self.size, self.size), dtype=np.uint8)
        return torch.from_numpy(drawn)
'''
    package.add(
        "images/sources/noise.py",
        source,
        "images/sources/__init__.py",
        after='    "photos": Photos(),',
        line='    "noise": Noise(),',
        imported="from .noise import Noise",
    )
    listed, _, evaluated, _ = package.commands(
        ("list", "data"),
        ("train", "--quantizer", "lgq", "--run", "run", *TINY, "--data", "noise"),
        ("evaluate", "run", "--json", *QUICK),
    )
    assert "noise" in listed
    result = json.loads(evaluated)
    assert (result["images"], result["steps"]) == (8, 2)


def test_a_metric(package: Copy) -> None:
    source = '''"""The largest error of a pixel."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from .definition import Definition


class LargestError:
    """The largest difference of two values, over all pixels and channels."""

    definition = Definition(
        summary="the largest error of a pixel",
        keys=("largest_error",),
        formula="max |x − x̂|",
        unit="the data range",
        bias="It grows with the number of images.",
        cost="None to speak of.",
        source="By definition.",
    )

    @classmethod
    def of(cls, settings):
        return cls()

    def __init__(self) -> None:
        self._largest = 0.0

    def update(self, images: Tensor, reconstructions: Tensor) -> None:
        self._largest = max(self._largest, (images - reconstructions).abs().max().item())

    def numbers(self) -> dict[str, Any]:
        return {"largest_error": self._largest}
'''
    package.add(
        "metrics/largest_error.py",
        source,
        "metrics/pictures.py",
        after='    "fd": FrechetDistance,',
        line='    "largest_error": LargestError,',
        imported="from .largest_error import LargestError",
    )
    _, evaluated, listed, page = package.commands(
        ("train", "--quantizer", "lgq", "--run", "run", *TINY),
        ("evaluate", "run", "--crops", "8", "--json", *QUICK),
        ("list", "metrics"),
        then="from lgq_explore.runs.measures.page import *; print(metrics_page())",
    )
    assert 0 < json.loads(evaluated)["largest_error"] <= 1
    assert "the largest error of a pixel" in listed
    assert "`largest_error`" in page


def test_an_analysis(package: Copy) -> None:
    source = '''"""The code that is used most."""

from __future__ import annotations

import pandas as pd

from lgq_explore.runs.study import Study

from .counts import per_code


def most_used(study: Study) -> pd.DataFrame:
    """One row: the code with the most tokens."""
    return per_code(study).nlargest(1, "count")
'''
    package.add(
        "analysis/usage/most_used.py",
        source,
        "analysis/usage/__init__.py",
        after='    "lorenz",',
        line='    "most_used",',
        imported="from .most_used import most_used",
    )
    program = """
import lgq_explore as lgq
study = lgq.study("run")
assert lgq.analysis.usage.most_used(study)["count"].item() == lgq.analysis.usage.per_code(study)["count"].max()
"""
    package.commands(("train", "--quantizer", "lgq", "--run", "run", *TINY), then=program)
