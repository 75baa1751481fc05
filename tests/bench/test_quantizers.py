"""Tests of the comparison of methods trained by one recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from lgq_explore import InputError, TrainConfig, evaluate, train
from lgq_explore.bench.fresh_process import in_fresh_process
from lgq_explore.bench.quantizers import Repeats, compare_quantizers, markdown_table, measure_run, rounding_spread
from lgq_explore.bench.results import device_name
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import FSQConfig, LGQConfig
from lgq_explore.runs.config import config_from_json, config_to_json
from lgq_explore.runs.run import Run
from lgq_explore.training.machine import processor_name

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_data_and_no_network")]

LGQ = TrainConfig(
    data="fake", steps=2, batch_size=4, backbone=BackboneConfig(channels=(8, 8, 8), dim=4), quantizer=LGQConfig(16)
)
FSQ = replace(LGQ, quantizer=FSQConfig((5, 4)), loss_weights={})


CROPS = 8
"""Of the held-out split, to be evaluated on: the Fréchet distance of all 80 takes most of the time."""


@pytest.fixture(scope="module")
def comparison() -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lgq_explore.bench.quantizers.evaluate", partial(evaluate, crops=CROPS))
        return compare_quantizers([LGQ, FSQ], Repeats((0, 5), rounding_replicates=2), device="cpu")


def test_every_method_is_trained_with_every_seed_and_rounding_replicate(comparison: dict[str, Any]) -> None:
    trained = [
        (result["quantizer"], result["seed"], result["rounding_replicate"], result["steps"])
        for result in comparison["results"]
    ]
    assert trained == [(name, seed, replicate, 2) for name in ("lgq", "fsq") for seed in (0, 5) for replicate in (0, 1)]
    sizes = {key: {result[key] for result in comparison["results"]} for key in ("images", "photographs", "tokens")}
    assert all(len(values) == 1 for values in sizes.values()), "compared on different pictures"


def test_a_result_is_what_evaluate_says_of_such_a_run(comparison: dict[str, Any], tmp_path: Path) -> None:
    run = train(replace(LGQ, seed=5), tmp_path / "lgq-5", device="cpu", progress=False)
    said = evaluate(run, crops=CROPS)
    assert list(comparison["results"][2].items()) == list(said.items())  # the same keys in the same order


def test_the_recipes_train_the_same_again(comparison: dict[str, Any]) -> None:
    kept = {name: config_from_json(recipe) for name, recipe in comparison["recipes"].items()}
    assert kept == {LGQ.recipe_hash: LGQ, FSQ.recipe_hash: FSQ}
    assert {result["recipe_hash"] for result in comparison["results"]} == set(kept)


def test_it_says_what_it_ran_on(comparison: dict[str, Any]) -> None:
    assert comparison["environment"]["versions"]["torch"]
    assert comparison["environment"]["held_out_photographs"] == comparison["results"][0]["photographs"]
    assert comparison["device"] == device_name("cpu", torch.get_num_threads())
    assert comparison["environment"]["processor"] == processor_name()
    assert comparison["environment"]["threads"] == torch.get_num_threads()


def test_the_table_has_a_row_a_method_and_a_value_a_seed() -> None:
    results = [
        _result("lgq", 0, psnr_db=21.004, ssim=0.61249, active_codes=900, perplexity=512.4, bits_per_pixel=0.5626),
        _result("lgq", 1, psnr_db=20.996, ssim=0.6, active_codes=901, perplexity=511.6, bits_per_pixel=0.5),
        _result("fsq", 0, psnr_db=19, ssim=None, active_codes=20, perplexity=7, bits_per_pixel=0.17),
        _result("fsq", 1, psnr_db=18, ssim=None, active_codes=19, perplexity=6, bits_per_pixel=0.16),
    ]
    recipe = {"data": "photos", "image_size": 32, "batch_size": 8}
    comparison = {"date": "2020-02-29", "device": "a machine", "recipes": {"x": recipe}, "results": results}
    assert markdown_table(comparison).splitlines() == [
        "| method | codes K | PSNR, dB | SSIM | active codes | perplexity | bits per pixel |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| `lgq` | 1024 | 21.00 · 21.00 | 0.612 · 0.600 | 900 · 901 | 512 · 512 | 0.563 · 0.500 |",
        "| `fsq` | 1000 | 19.00 · 18.00 | – · – | 20 · 19 | 7 · 6 | 0.170 · 0.160 |",
        "",
        "One recipe for all: photos, 32 px, 300 steps of 8 crops, D = 4. One value per seed (0, 1), measured on "
        "N = 12 held-out crops (768 tokens) of 3 photographs; 2020-02-29, a machine.",
    ]


def test_the_table_shows_means_over_replicates_and_the_largest_spread_of_a_seed() -> None:
    results = [
        _result(
            "lgq",
            seed,
            rounding_replicate=replicate,
            psnr_db=psnr,
            ssim=0.6,
            active_codes=codes,
            perplexity=9.0,
            bits_per_pixel=None,
            scenes=2,
        )
        for seed, replicate, psnr, codes in [(0, 0, 21.0, 900), (0, 1, 21.5, 905), (3, 0, 20.0, 800), (3, 1, 18.9, 802)]
    ]
    recipe = {"data": "photos", "image_size": 32, "batch_size": 8}
    comparison = {"date": "2020-02-29", "device": "a machine", "recipes": {"x": recipe}, "results": results}
    lines = markdown_table(comparison).splitlines()
    assert lines[2] == (
        "| `lgq` | 1024 | 21.25 · 19.45 (1.10) | 0.600 · 0.600 (0.000) | 902 · 801 (5) | 9 · 9 (0) | – · – |"
    )
    assert lines[-1] == (
        "One recipe for all: photos, 32 px, 300 steps of 8 crops, D = 4. One value per seed (0, 3): the mean of 2 runs "
        "that differ in rounding alone, and in brackets the largest difference between such runs of a seed, below "
        "which a difference says nothing. Values are measured on N = 12 held-out crops (768 tokens) of 3 "
        "photographs, which show 2 scenes; 2020-02-29, a machine."
    )


def test_where_not_every_seed_has_all_replicates_the_caption_says_so() -> None:
    metrics = dict(ssim=0.6, active_codes=9, perplexity=9.0, bits_per_pixel=0.5)
    results = [
        _result(name, 0, rounding_replicate=replicate, psnr_db=psnr, **metrics)
        for name, replicate, psnr in [("lgq", 0, 21.0), ("lgq", 1, 21.5), ("fsq", 0, 20.0)]
    ]
    recipe = {"data": "photos", "image_size": 32, "batch_size": 8}
    lines = markdown_table({"date": "", "device": "", "recipes": {"x": recipe}, "results": results}).splitlines()
    assert [line.split(" | ")[2] for line in lines[2:4]] == ["21.25 (0.50)", "20.00"]
    assert ": the mean of up to 2 runs that differ in rounding alone" in lines[-1]


def test_the_rounding_spread_is_between_replicates_of_one_seed() -> None:
    def results(*values: tuple[int, float | None]) -> list[dict[str, Any]]:
        return [{"seed": seed, "psnr_db": value} for seed, value in values]

    assert rounding_spread(results((0, 20.0), (0, 20.25), (1, 30.0), (1, 29.5), (1, 30.0)), "psnr_db") == 0.5
    assert rounding_spread(results((0, 20.0), (1, 30.0)), "psnr_db") is None
    assert rounding_spread(results((0, None), (0, None)), "psnr_db") is None


def _result(quantizer: str, seed: int, **metrics: float | None) -> dict[str, Any]:
    size = {"lgq": 1024, "fsq": 1000}[quantizer]
    sizes = {"codebook_size": size, "dim": 4, "steps": 300, "images": 12, "tokens": 768, "photographs": 3}
    return {"quantizer": quantizer, "seed": seed, **sizes, **metrics}


def test_what_can_not_be_compared_is_refused_before_training() -> None:
    with pytest.raises(InputError, match="lgq with 16 codes is given twice: give each method and codebook size once"):
        compare_quantizers([LGQ, replace(LGQ, quantizer=LGQConfig(16))], Repeats((0,)))
    with pytest.raises(InputError, match="0 methods"):
        compare_quantizers([], Repeats((0,)))
    with pytest.raises(InputError, match="0 seeds"):
        Repeats(())
    for replicates in (0, 102):
        with pytest.raises(InputError, match=f"{replicates} rounding replicates.*from 1 to 101"):
            Repeats((0,), replicates)
    with pytest.raises(InputError, match="seed is -1"):
        Repeats((-1,)).of(LGQ)


def test_results_on_a_folder_name_a_recipe_that_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, shade in (("a", 10), ("b", 90), ("c", 170), ("d", 250)):
        Image.fromarray(np.random.default_rng(shade).integers(0, shade, (32, 32, 3), dtype=np.uint8)).save(
            folder / f"{name}.png"
        )
    compared = compare_quantizers([replace(LGQ, data=f"folder:{folder}/../pictures")], Repeats((0,)), device="cpu")
    assert [result["recipe_hash"] for result in compared["results"]] == list(compared["recipes"])


def test_kept_runs_are_continued_and_what_is_known_of_them_is_not_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Sequence[str]] = []

    def look(run: Run, without: Sequence[str] = ()) -> dict[str, Any]:
        seen.append(without)
        return evaluate(run, crops=CROPS, without=without, progress=False)

    monkeypatch.setattr("lgq_explore.bench.quantizers.evaluate", look)
    larger = replace(LGQ, quantizer=LGQConfig(32))
    compare = partial(compare_quantizers, repeats=Repeats((0,)), device="cpu", runs=tmp_path)
    first = compare([LGQ], without=["fd", "lpips"])
    folders = {path.name: (path / "weights.safetensors").stat().st_mtime_ns for path in tmp_path.iterdir()}
    both = compare([LGQ, larger])
    assert [result["codebook_size"] for result in both["results"]] == [16, 32]
    assert both["results"][0]["psnr_db"] == first["results"][0]["psnr_db"]
    assert compare([LGQ, larger])["results"] == both["results"]
    assert seen == [["fd", "lpips"], (), ()]  # a whole evaluation is kept in the run's folder
    assert (
        folders.items()
        <= {path.name: (path / "weights.safetensors").stat().st_mtime_ns for path in tmp_path.iterdir()}.items()
    )


def test_a_table_has_a_row_a_method_and_number_of_codes_and_reads_nested_values(comparison: dict[str, Any]) -> None:
    results = [
        {**comparison["results"][0], "quantizer": method, "codebook_size": size, "seed": seed, "fd": {"value": value}}
        for method, size, seed, value in [("lgq", 16, 0, 1.0), ("lgq", 64, 0, 2.0), ("lgq", 16, 1, None)]
    ]
    table = markdown_table({**comparison, "results": results}, {"FD": ("fd.value", ".1f")})
    assert table.splitlines()[:4] == [
        "| method | codes K | FD |",
        "| --- | ---: | ---: |",
        "| `lgq` | 16 | 1.0 · – |",
        "| `lgq` | 64 | 2.0 |",
    ]


def test_of_one_value_for_each_size_a_method_has_one_row_and_what_no_result_has_no_column() -> None:
    results = [
        {**_result(method, 0, psnr_db=value, luminance_psnr_db=value + 1), "codebook_size": size}
        for method, size, value in [("lgq", 16, 20.0), ("fsq", 15, 19.0), ("lgq", 64, 22.0), ("fsq", 60, 21.0)]
    ]
    recipe = {"data": "photos", "image_size": 32, "batch_size": 8}
    comparison = {"date": "2020-02-29", "device": "a machine", "recipes": {"x": recipe}, "results": results}
    assert markdown_table(comparison).splitlines()[:4] == [
        "| method | codes K | PSNR, dB | luminance, dB |",
        "| --- | ---: | ---: | ---: |",
        "| `lgq` | 16 · 64 | 20.00 · 22.00 | 21.00 · 23.00 |",
        "| `fsq` | 15 · 60 | 19.00 · 21.00 | 20.00 · 22.00 |",
    ]


def test_a_run_in_a_process_of_its_own_gives_the_result_that_the_comparison_has(comparison: dict[str, Any]) -> None:
    measured = in_fresh_process(measure_run, {"recipe": config_to_json(LGQ), "device": "cpu", "crops": CROPS})
    # The process has one thread; this one may have more, which sum in another order.
    here, there = (pd.json_normalize(result) for result in (comparison["results"][0], measured["result"]))
    pd.testing.assert_frame_equal(there, here, check_exact=False, rtol=1e-5)
    assert measured["training_seconds"] > 0
