"""Runs whose names, pictures and sweep would run a script in a page that does not escape them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from lgq_explore.analysis.comparison import Comparison, compare, given_runs
from lgq_explore.analysis.comparison.compare import names_of
from lgq_explore.analysis.comparison.given import GivenRuns
from lgq_explore.quantizers import QUANTIZERS
from lgq_explore.training.loop import train
from tests.analysis.runs_folder import GRID, SOFT

IMAGE = "<img src=x onerror=alert(1)>"
SCRIPT = "</script><script>alert(2)</script>"
QUOTE = "\" onload='alert(3)' {{7*7}}"
CROPS = 12


def plant_pictures(folder: Path) -> Path:
    """48 pictures of gradients and noise, whose names are markup."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(48):
        slope = np.linspace(0, generator.uniform(100, 200), 40)[:, None] + generator.uniform(0, 40, 40)
        pixels = (slope[..., None] + generator.uniform(0, 15, (40, 40, 3))).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{IMAGE} {number:02d} {QUOTE}.png")
    return folder


def plant_sweep(folder: Path, pictures: Path) -> Path:
    """A sweep of three methods, two of them with two seeds, whose file, methods and runs are markup."""
    data = f"folder:{pictures}"
    methods = {SCRIPT: SOFT, IMAGE: GRID, "none": replace(SOFT, quantizer=QUANTIZERS["none"](), loss_weights={})}
    (folder / "summaries").mkdir(parents=True)
    (folder / "sweep.toml").write_text(f'# {SCRIPT}{IMAGE}\nmethods = ["lgq", "fsq"]\n')
    for number, (method, recipe) in enumerate(methods.items()):
        for seed in range(1 if method == "none" else 2):
            name = f"{IMAGE.replace('/', '')} {number} {seed}"
            config = replace(recipe, data=data, seed=seed)
            train(config, folder / "runs" / name, device="cpu", progress=False)
            summary = {"kind": "final", "method": method, "tuning": {"trials": [{}] * (1 + number)}}
            (folder / "summaries" / f"{name}.json").write_text(json.dumps(summary))
    return folder


def compared(given: GivenRuns) -> Comparison:
    recorded = {
        name: given.recorded[run.path] for name, run in names_of(given.runs).items() if run.path in given.recorded
    }
    return compare(given.runs, crops=CROPS, recorded=recorded)


def plant_comparison(folder: Path) -> tuple[GivenRuns, Comparison]:
    """The sweep, and its comparison."""
    given = given_runs([plant_sweep(folder / "sweep", plant_pictures(folder / "pictures"))])
    return given, compared(given)
