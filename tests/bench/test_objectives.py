"""Tests of the comparison of objectives at an equal number of steps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lgq_explore import TrainConfig, open_run
from lgq_explore.bench.objectives import (
    FEATURES,
    PIXELS,
    compare_objectives,
    for_features,
    for_pixels,
    markdown_table,
)
from lgq_explore.bench.quantizers import Repeats
from lgq_explore.bench.results import read_result
from lgq_explore.cli.entry import main
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import FSQConfig, LGQConfig
from lgq_explore.runs.config import config_from_json
from lgq_explore.runs.evaluate import evaluate, kept_metrics
from lgq_explore.training.presets import preset

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_data_and_no_network")]

LGQ = TrainConfig(
    data="fake", steps=3, batch_size=4, backbone=BackboneConfig(channels=(8, 8, 8), dim=4), quantizer=LGQConfig(16)
)
FSQ = replace(LGQ, quantizer=FSQConfig((5, 4)), loss_weights={"l1": 1.0})


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


CROPS = 8
"""Of the held-out split, to be evaluated on: the Fréchet distance of all 80 takes most of the time."""


@pytest.fixture(scope="module", autouse=True)
def few_crops() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lgq_explore.bench.quantizers.evaluate", partial(evaluate, crops=CROPS))
        yield


@pytest.fixture(scope="module")
def comparison(runs: Path) -> dict[str, Any]:
    return compare_objectives([LGQ, FSQ], Repeats((5,)), runs, device="cpu")


def test_both_recipes_have_the_published_weights_and_the_terms_of_the_quantizer() -> None:
    published = preset("vqgan-256")
    of_quantizer = {name: LGQ.loss_weights[name] for name in ("quantization", "peakedness", "usage")}
    assert for_pixels(replace(LGQ, loss_weights={**of_quantizer, "l2": 3.0})) == replace(
        LGQ, loss_weights={"l1": 1.0, **of_quantizer}
    )
    recipe = for_features(replace(LGQ, steps=600))
    assert recipe.loss_weights == published.loss_weights
    assert recipe.objectives["gan"] == {**published.objectives["gan"], "start_step": 200, "ramp_steps": 50}
    assert recipe.objectives["perceptual"] == {"features": "efficientnet-lite0"}
    assert for_pixels(recipe) == replace(for_pixels(LGQ), steps=600)


def test_every_method_is_trained_with_both_and_every_seed(comparison: dict[str, Any]) -> None:
    trained = [(result["quantizer"], result["objectives"], result["seed"]) for result in comparison["results"]]
    assert trained == [(name, objectives, 5) for name in ("lgq", "fsq") for objectives in (PIXELS, FEATURES)]
    recipes = {name: config_from_json(recipe) for name, recipe in comparison["recipes"].items()}
    assert {result["recipe_hash"] for result in comparison["results"]} == set(recipes)
    assert list(recipes.values()) == [change(each) for each in (LGQ, FSQ) for change in (for_pixels, for_features)]


def test_the_runs_are_kept_and_used_again(comparison: dict[str, Any], runs: Path) -> None:
    weights = {path: path.stat().st_mtime_ns for path in runs.glob("*/weights.safetensors")}
    assert len(weights) == 4
    again = compare_objectives([LGQ, FSQ], Repeats((5,)), runs, device="cpu")
    assert again["results"] == comparison["results"]
    assert {path: path.stat().st_mtime_ns for path in weights} == weights
    kept = {kept_metrics(open_run(path.parent))["psnr_db"] for path in weights}
    assert kept == {result["psnr_db"] for result in comparison["results"]}


def test_the_table_names_the_terms_and_that_fd_is_in_the_features_that_were_minimised() -> None:
    common = dict(
        quantizer="lgq", dim=4, steps=600, images=12, photographs=3, tokens=768, active_codes=9, perplexity=8.0
    )
    results = [
        {**common, "objectives": name, "seed": seed, "psnr_db": psnr, "ssim": 0.5, "fd": {"value": fd, "features": "f"}}
        for name, seed, psnr, fd in [(PIXELS, 0, 25.0, 90.0), (PIXELS, 1, 25.5, 91.0), (FEATURES, 0, 24.0, 40.0)]
    ]
    gan = {"start_step": 200, "ramp_steps": 50}
    recipe = {
        "data": "photos",
        "image_size": 32,
        "batch_size": 8,
        "loss_weights": {"l1": 1.0, "perceptual": 1.0, "gan": 0.1},
        "objectives": {"perceptual": {"features": "f"}, "gan": gan},
    }
    measured = {"date": "2020-02-29", "device": "a machine", "recipes": {"x": recipe}, "results": results}
    lines = markdown_table(measured).splitlines()
    assert lines[:4] == [
        "| method | minimised | PSNR, dB | SSIM | FD | active codes | perplexity |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
        f"| `lgq` | `{PIXELS}` | 25.00 · 25.50 | 0.500 · 0.500 | 90.0 · 91.0 | 9 · 9 | 8 · 8 |",
        f"| `lgq` | `{FEATURES}` | 24.00 | 0.500 | 40.0 | 9 | 8 |",
    ]
    assert "from step 200 on, with a ramp of 50 steps" in lines[-1]
    assert "its FD has this advantage" in lines[-1]
    recipe["objectives"] = {"perceptual": {"features": "g"}, "gan": gan}
    assert "advantage" not in markdown_table(measured)


def test_the_command_keeps_its_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["bench", "objectives", "--quantizers", "fsq", "--seeds", "1", "--data", "fake", "--steps", "2"]
    command += ["--set", "backbone.channels=[8,8,8]", "--batch-size", "2", "--device", "cpu"]
    command += ["--runs", str(tmp_path / "runs"), "--results", str(tmp_path)]
    assert main(command) == 0
    (kept,) = tmp_path.glob("*-objectives.json")
    assert capsys.readouterr().out.strip() == markdown_table(read_result(kept, "objectives"))
    assert main([*command, "--json"]) == 0  # the runs are there
    assert json.loads(capsys.readouterr().out)["results"] == read_result(kept, "objectives")["results"]
