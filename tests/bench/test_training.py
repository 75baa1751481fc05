"""Tests of the benchmark of the quantizer's share of a training step."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from lgq_explore import InputError, TrainConfig
from lgq_explore.bench import training
from lgq_explore.bench.fresh_process import ProcessFailed
from lgq_explore.bench.training import TIMED_STEPS, WARM_UP_STEPS, markdown_table, measure_share, measure_shares
from lgq_explore.cli import main
from lgq_explore.images.opening import open_source
from lgq_explore.images.ranges import to_model_range
from lgq_explore.models import BackboneConfig, build_tokenizer
from lgq_explore.quantizers import FSQConfig, LGQConfig, Quantizer
from lgq_explore.runs.config import config_from_json, config_to_json

pytestmark = pytest.mark.usefixtures("own_data_and_no_network")

RECIPE = TrainConfig(
    data="fake", batch_size=4, steps=50, backbone=BackboneConfig(channels=(8, 8, 8), dim=4), quantizer=LGQConfig(16)
)
SMALL = ("--data", "fake", "--batch-size", "4", "--set", "backbone.channels=[8,8,8]", "--set", "backbone.dim=4")


def test_whole_steps_are_timed_and_then_the_quantizer_on_the_last_step_s_latents(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[torch.Tensor] = []
    measured = training.quantizer_seconds

    def look(tokenizer: Any, config: TrainConfig, images: torch.Tensor) -> list[float]:
        seen.append(images)
        return measured(tokenizer, config, images)

    monkeypatch.setattr(training, "quantizer_seconds", look)
    share = measure_share({"recipe": config_to_json(RECIPE), "device": "cpu"})
    assert len(share["step_seconds"]) == len(share["quantizer_seconds"]) == TIMED_STEPS
    assert min(*share["step_seconds"], *share["quantizer_seconds"]) > 0
    assert share["environment"]["device"] == "cpu"
    last = open_source("fake", 32).batch(WARM_UP_STEPS + TIMED_STEPS - 1, range(4))
    assert torch.equal(*seen, to_model_range(last))


@pytest.mark.parametrize("quantizer", [FSQConfig((5, 4)), LGQConfig(16)])
def test_the_quantizer_goes_forward_and_backward_alone_in_training_mode(quantizer: Any) -> None:
    tokenizer = build_tokenizer(RECIPE.backbone, quantizer, seed=0).eval()
    config = replace(RECIPE, quantizer=quantizer, loss_weights={})
    passes: list[Quantizer] = []
    tokenizer.quantizer.register_forward_hook(lambda module, *_: passes.append(module))
    assert len(training.quantizer_seconds(tokenizer, config, torch.randn(4, 3, 32, 32))) == TIMED_STEPS
    assert len(passes) == TIMED_STEPS + 1  # one warms up
    assert all(module.training for module in passes)
    assert all(weight.grad is not None for weight in tokenizer.quantizer.parameters())
    assert all(weight.grad is None for weight in tokenizer.encoder.parameters())


def test_the_share_is_the_ratio_of_the_medians(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"device": "cpu", "versions": {}}
    seconds = {"step_seconds": [0.4, 9.0, 0.2], "quantizer_seconds": [0.1, 0.05, 0.2], "megabytes": 12.5}

    def measured(_: object, case: dict[str, Any]) -> dict[str, Any]:
        if case["recipe"]["quantizer"]["method"] == "fsq":
            raise ProcessFailed("its process was ended by SIGKILL")
        return {"environment": environment, **seconds}

    monkeypatch.setattr(training, "in_fresh_process", measured)
    fsq = replace(RECIPE, quantizer=FSQConfig((5, 4)), loss_weights={})
    shares = measure_shares([RECIPE, fsq], device="cpu", progress=False)
    lgq, failed = shares["results"]
    assert (lgq["median_step_seconds"], lgq["median_quantizer_seconds"], lgq["share"]) == (0.4, 0.1, 0.25)
    assert (lgq["quantizer"], lgq["codebook_size"], lgq["dim"], lgq["tokens"]) == ("lgq", 16, 4, 4 * 8 * 8)
    assert failed["share"] is failed["median_step_seconds"] is None
    assert failed["not_run"] == "its process was ended by SIGKILL"
    assert failed.keys() == lgq.keys()
    kept = {name: config_from_json(recipe) for name, recipe in shares["recipes"].items()}
    assert kept == {RECIPE.recipe_hash: RECIPE, fsq.recipe_hash: fsq}
    lines = markdown_table({**shares, "date": "2020-02-29", "device": "a machine"}).splitlines()
    assert lines == [
        "| method | codes K | step, ms | quantizer, ms | share, % | memory, MB |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| `lgq` | 16 | 400 | 100 | 25 | 12.5 |",
        "| `fsq` | 20 | – | – | – | – |",
        "",
        "Not measured: `fsq` with 20 codes: its process was ended by SIGKILL.",
        "",
        "A whole step on 4 crops of 32 px (fake), and forward and backward through the quantizer alone on their "
        f"latents (N = 256 tokens, D = 4): CPU time on 1 thread, medians of {TIMED_STEPS}. 2020-02-29, a machine.",
    ]


def test_a_method_has_one_row_with_its_numbers_by_codes() -> None:
    costs = {"median_step_seconds": 0.4, "median_quantizer_seconds": 0.1, "share": 0.25, "not_run": None}
    sizes = {"batch_size": 4, "image_size": 32, "tokens": 256, "dim": 4, "recipe_hash": "x"}
    results = [
        {"quantizer": method, "codebook_size": codes, "megabytes": float(codes), **costs, **sizes}
        for codes in (16, 64)
        for method in ("lgq", "vq")
    ]
    protocol = {"clock": "CPU time", "threads": 1, "steps": 5}
    shares = {"results": results, "recipes": {"x": {"data": "fake"}}, "protocol": protocol}
    _, _, *rows = markdown_table({**shares, "date": "2020-02-29", "device": "a machine"}).splitlines()[:4]
    assert rows == [f"| `{method}` | 16 · 64 | 400 · 400 | 100 · 100 | 25 · 25 | 16 · 64 |" for method in ("lgq", "vq")]


@pytest.mark.slow
def test_the_command_measures_in_processes_and_keeps_what_it_prints(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    command = ("bench", "training", "--quantizers", "simvq", "--codebook-sizes", "16", *SMALL, "--device", "cpu")
    assert main([*command, "--json", "--results", str(tmp_path)]) == 0
    streams = capfd.readouterr()
    shares = json.loads(streams.out)
    (file,) = tmp_path.iterdir()
    assert str(file) in streams.err
    assert json.loads(file.read_bytes()) == shares
    (result,) = shares["results"]
    assert (result["quantizer"], result["codebook_size"], result["not_run"]) == ("simvq", 16, None)
    assert result["share"] == result["median_quantizer_seconds"] / result["median_step_seconds"]
    assert result["megabytes"] > 1
    assert markdown_table(shares).startswith("| method |")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--codebook-sizes", "16", "16"], "lgq with 16 codes is given twice"),
        (["--quantizers", "fsq", "--codebook-sizes", "1000", "1001"], "fsq with 1000 codes is given twice"),
        (["--codebook-sizes", "16", "--steps", "6"], "steps is 6: give 7 or more"),
        (["--codebook-sizes", "1"], "codebook_size is 1"),
        (["--data", "folder:nowhere"], "nowhere"),
        (["--quantizers", "kmeens"], "unknown quantizer 'kmeens'"),
    ],
)
def test_what_can_not_be_measured_is_refused(
    options: list[str], told: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["bench", "training", *options, "--results", str(tmp_path)]) == 2
    streams = capfd.readouterr()
    assert streams.out == ""
    assert len(streams.err.splitlines()) <= 2
    assert told in streams.err
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_measure_is_refused() -> None:
    with pytest.raises(InputError, match="0 methods"):
        measure_shares([])
