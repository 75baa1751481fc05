"""Tests of the tables of training and comparison on a GPU."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.gpu.runs_table import quantizers_table, training_table

SHAPE = {"codebook_size": 16384, "image_size": 128, "batch_size": 32}


def measured(**changes: Any) -> dict[str, Any]:
    costs = {"images_per_second": 800.0, "step_seconds": 0.04, "quantizer_seconds": 0.008, "share": 0.2}
    return {
        "date": "2020-02-29",
        "device": "a GPU",
        "environment": {"versions": {"torch": "2.x"}},
        "protocol": {"precision": "bf16-mixed", "intervals": 3, "log_steps": 10},
        "recipes": {"x": {"data": "photos"}, "y": {"data": "photos"}},
        "variants": [
            {
                "variant": "contiguous",
                "image_size": 128,
                "batch_size": 32,
                "median_milliseconds": 31.0,
                "not_run": None,
            },
            {
                "variant": "compiled",
                "image_size": 128,
                "batch_size": 32,
                "median_milliseconds": None,
                "not_run": "fails",
            },
        ],
        "initializations": [
            {"initialization": "kmeans++", "codebook_size": 16, "median_milliseconds": 1.5},
            {"initialization": "kmeans++", "codebook_size": 64, "median_milliseconds": 2.5},
        ],
        "results": [
            {"quantizer": "lgq", **SHAPE, **costs, "batch_seconds": 0.002, "megabytes": 1900.0, "not_run": None},
            {"quantizer": "vq", **SHAPE, **dict.fromkeys(costs), "not_run": "no time was left"},
        ],
        **changes,
    }


def test_the_parts_of_a_step_are_told_of_every_preset() -> None:
    parts = {"encoder": 0.02, "quantizer": 0.01, "decoder": 0.01}
    result = measured()
    first = {**result["results"][0], "preset": "vqgan-128", "parts": parts}
    variants = [{**each, "preset": name} for name in ("small", "vqgan-128") for each in result["variants"]]
    told = training_table(
        {
            **result,
            "variants": variants,
            "results": [first, {**result["results"][1], "preset": "vqgan-128", "parts": None}],
        }
    )
    assert "| `lgq` | `vqgan-128` | 20 (50 %) | 10 (25 %) | 10 (25 %) |" in told
    assert "| `vq` | `" not in told
    assert "with the recipes of `vqgan-128` but for the batch" in told
    assert told.count("A step by itself with FSQ in `small`, of 32 images of 128 px: contiguous 31 ms") == 1


def compared(alone: list[str], shared: list[str]) -> dict[str, Any]:
    result = {
        "quantizer": "lgq",
        "codebook_size": 16,
        "dim": 8,
        "images": 8,
        "photographs": 4,
        "tokens": 128,
        "scenes": 4,
        "steps": 2,
        "psnr_db": 20.0,
        "ssim": 0.5,
        "active_codes": 15,
        "perplexity": 10.0,
        "bits_per_pixel": 0.2,
        "seed": 0,
        "fd": {"value": 173.9, "features": "efficientnet-lite0", "why": None},
    }
    return {
        "date": "2020-02-29",
        "device": "a GPU",
        "recipes": {"x": {"data": "photos", "image_size": 16, "batch_size": 2}},
        "protocol": {"processes": 12},
        "sharing": [{"quantizer": "lgq", "alone": alone, "shared": shared}],
        "results": [result, {**result, "seed": 1, "fd": {**result["fd"], "value": None}}],
        "not_run": [{"quantizer": "fsq", "why": "no time was left"}],
    }


def test_a_row_says_what_takes_the_time_of_a_step_or_why_it_is_none() -> None:
    lines = training_table(measured()).splitlines()
    assert lines[2] == "| `lgq` | 16384 | 128 | 32 | 800 | 40 | 8 | 20 % | 2 | 1.9 |"
    assert lines[3] == "| `vq` | 16384 | 128 | 32 | no time was left | – | – | – | – | – |"
    assert len({line.count("|") for line in lines[:4]}) == 1
    assert "of 32 images of 128 px: contiguous 31 ms, compiled fails." in lines[-1]
    assert "by kmeans++: 1.5 ms for 16, 2.5 ms for 64." in lines[-1]


def test_without_variants_none_are_spoken_of() -> None:
    assert "by itself" not in training_table(measured(variants=[]))


def test_a_comparison_names_its_features_and_what_is_missing() -> None:
    table = quantizers_table(compared(["a", "a"], ["a"]))
    values = ["20.00 · 20.00", "0.500 · 0.500", "174 · –", "15 · 15", "10 · 10", "0.200 · 0.200"]
    assert table.splitlines()[2] == f"| `lgq` | 16 | {' | '.join(values)} |"
    assert "FD is between these crops and their reconstructions, resized to 224 × 224 pixels, bicubic" in table
    assert "in the features of efficientnet-lite0 (EfficientNet-Lite0, trained on ImageNet: 1280 pooled" in table
    assert "2 of 3 runs came to their end" in table


def test_runs_taken_from_an_earlier_result_are_told() -> None:
    comparison = compared(["a", "a"], ["a"])
    assert "taken from" not in quantizers_table(comparison)
    comparison["results"][0]["measured_in"] = "2020-02-28-gpu-quantizers.json"
    assert "1 run taken from 2020-02-28-gpu-quantizers.json, each of a method whose" in quantizers_table(comparison)


@pytest.mark.parametrize(
    ("alone", "shared", "told"),
    [
        (["a", "a"], ["a", "a"], "`lgq` end with the same weights, bit for bit, alone and beside others."),
        (["a", "a"], ["a", "b"], "`lgq` end with the same weights alone, and others beside others."),
        (["a", "b"], ["a"], "`lgq` end with other weights each time, alone too."),
    ],
)
def test_it_is_said_whether_sharing_the_gpu_changes_weights(alone: list[str], shared: list[str], told: str) -> None:
    assert told in quantizers_table(compared(alone, shared))
