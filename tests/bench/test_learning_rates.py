"""Tests of the comparison of learning rates and of the rule that chooses one."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lgq_explore import InputError, TrainConfig, quantizers, train
from lgq_explore.bench.learning_rates import (
    HIGHEST_RATE,
    chosen_rate,
    markdown_table,
    measure_learning_rates,
    training_l1,
)
from lgq_explore.bench.quantizers import Repeats
from lgq_explore.cli import main
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import QUANTIZERS, FSQConfig, LGQConfig
from lgq_explore.runs.config import config_from_json

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_data_and_no_network")]

LGQ = TrainConfig(
    data="fake",
    steps=5,
    log_steps=1,
    batch_size=4,
    backbone=BackboneConfig(channels=(8, 8, 8), dim=4),
    quantizer=LGQConfig(16),
)
FSQ = replace(LGQ, quantizer=FSQConfig((5, 4)), loss_weights={})


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    return measure_learning_rates([LGQ, FSQ], (1e-3, 2e-3), Repeats((0,), 2), device="cpu")


def test_every_method_is_trained_at_every_rate_with_every_replicate(measured: dict[str, Any]) -> None:
    trained = [
        (result["learning_rate"], result["quantizer"], result["seed"], result["rounding_replicate"], result["steps"])
        for result in measured["results"]
    ]
    methods = ("lgq", "fsq")
    assert trained == [(rate, name, 0, r, 5) for rate in (1e-3, 2e-3) for name in methods for r in (0, 1)]
    assert measured["chosen"] == 1e-3
    assert measured["environment"]["threads"] >= 1


def test_the_recipes_train_the_same_again(measured: dict[str, Any]) -> None:
    recipes = {name: config_from_json(recipe) for name, recipe in measured["recipes"].items()}
    assert recipes == {LGQ.recipe_hash: LGQ, FSQ.recipe_hash: FSQ}
    at_rates = {replace(recipe, learning_rate=rate).recipe_hash for recipe in recipes.values() for rate in (1e-3, 2e-3)}
    assert {result["recipe_hash"] for result in measured["results"]} == at_rates


def test_the_training_l1_is_the_mean_over_the_last_fifth_of_the_steps(tmp_path: Path) -> None:
    config = replace(LGQ, steps=20, log_steps=2)
    run = train(config, tmp_path / "run", device="cpu", progress=False)
    rows = run.history().set_index("step")["loss_l1"]
    assert training_l1(run) == pytest.approx((rows[18] + rows[20]) / 2, rel=1e-12)


def test_the_lowest_mean_over_all_methods_is_chosen_of_the_rates_that_may_be() -> None:
    l1 = {2e-3: (0.1, 0.1), 1e-3: (0.30, 0.50), 5e-4: (0.32, 0.40), 1e-4: (0.2, 0.6)}
    results = [
        {"learning_rate": rate, "quantizer": name, "training_l1": value}
        for rate, values in l1.items()
        for name, value in zip(("lgq", "fsq"), values, strict=True)
    ]
    assert chosen_rate(results) == 5e-4


def test_the_table_has_a_row_a_method_and_a_column_a_rate() -> None:
    values = {
        (2e-3, "lgq"): (0.1, 0.15),
        (2e-3, "fsq"): (0.2, 0.2),
        (1e-3, "lgq"): (0.1, 0.12),
        (1e-3, "fsq"): (0.3, 0.3),
    }
    results = [
        {
            "learning_rate": rate,
            "quantizer": name,
            "seed": 0,
            "rounding_replicate": replicate,
            "training_l1": l1,
            "psnr_db": 20 + 10 * l1,
        }
        for (rate, name), both in values.items()
        for replicate, l1 in enumerate(both)
    ]
    recipe = {"data": "photos", "image_size": 32, "batch_size": 8, "steps": 300}
    measured = {
        "date": "2020-02-29",
        "device": "a machine",
        "protocol": {"window": 0.2, "highest_rate": 1e-3},
        "recipes": {"x": recipe},
        "results": results,
        "chosen": 1e-3,
    }
    assert markdown_table(measured).splitlines() == [
        "| training L1 | 0.002 | 0.001 |",
        "| --- | ---: | ---: |",
        "| `lgq` | 0.1250 (0.0500) | 0.1100 (0.0200) |",
        "| `fsq` | 0.2000 (0.0000) | 0.3000 (0.0000) |",
        "| mean | 0.1625 | **0.2050** |",
        "| PSNR by rounding, dB | 0.25 (0.50) | 0.10 (0.20) |",
        "",
        "Mean L1 over the last 20% of 300 steps of 8 crops (photos, 32 px), over 1 seed and 2 rounding replicates, and "
        "in brackets the largest difference that rounding alone made; last, what it made of the PSNR of held-out "
        "crops: the mean over the methods, and the largest. Chosen, by the rule in `bench/learning_rates.py`: the "
        "lowest mean of the rates up to 0.001. 2020-02-29, a machine.",
    ]


def test_rates_that_can_not_be_chosen_or_trained_at_are_refused_before_training() -> None:
    with pytest.raises(InputError, match=r"rates 0\.002: give one of at most 0\.001"):
        measure_learning_rates([LGQ], (2e-3,), Repeats((0,)))
    with pytest.raises(InputError, match=r"learning_rate is -1\.0: it must be above 0"):
        measure_learning_rates([LGQ], (-1.0,), Repeats((0,)))
    with pytest.raises(InputError, match="lgq with 16 codes is given twice"):
        measure_learning_rates([LGQ, LGQ], (1e-3,), Repeats((0,)))


def test_the_command_trains_all_methods_and_keeps_the_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    all_methods = {name: QUANTIZERS[name] for name in ("lgq", "none")}
    monkeypatch.setattr(quantizers, "QUANTIZERS", all_methods)
    small = "--data fake --batch-size 2 --steps 2 --codebook-size 16 --set backbone.channels=[8,8,8] --rates 1e-3"
    assert main(["bench", "learning-rates", *shlex.split(small), "--results", str(tmp_path)]) == 0
    (path,) = tmp_path.iterdir()
    kept = json.loads(path.read_text())
    assert [result["quantizer"] for result in kept["results"]] == list(all_methods)
    assert capsys.readouterr().out.strip() == markdown_table(kept)


def test_the_tiny_preset_has_the_rate_that_was_chosen() -> None:
    results = sorted((Path(__file__).parents[2] / "benchmarks/results").glob("*-learning-rates.json"))
    assert HIGHEST_RATE >= TrainConfig().learning_rate == json.loads(results[-1].read_text())["chosen"]
