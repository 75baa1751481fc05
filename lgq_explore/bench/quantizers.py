"""Which method does best when all are trained by one recipe, on the same photographs, with the same seeds?"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from lgq_explore.errors import InputError
from lgq_explore.training.config import TrainConfig, config_to_json
from lgq_explore.training.evaluate import evaluate
from lgq_explore.training.loop import train

from .results import device_name, today

COLUMNS = {
    "PSNR, dB": ("psnr_db", ".2f"),
    "SSIM": ("ssim", ".3f"),
    "active codes": ("active_codes", "d"),
    "perplexity": ("perplexity", ".0f"),
    "bits a pixel": ("bits_per_pixel", ".3f"),
}
"""Columns of the table, each with the key of a result that fills it, and its format."""


def compare_quantizers(recipes: Sequence[TrainConfig], seeds: Sequence[int], device: str = "auto") -> dict[str, Any]:
    """Train every recipe with every seed and evaluate it on the held-out photographs.

    Returns a JSON object: what it ran on, the recipes by their hash, and an `evaluate` result a run. Raises InputError
    where nothing is to be trained, or one method twice.
    """
    methods = [recipe.quantizer.method for recipe in recipes]
    if not methods or not seeds:
        raise InputError(f"{len(methods)} methods with {len(seeds)} seeds are nothing to compare: give one or more")
    if len(set(methods)) < len(methods):
        raise InputError(f"{', '.join(methods)}: give each method once")
    results = []
    with tempfile.TemporaryDirectory(prefix="lgq-explore-bench-") as folder:
        for recipe in recipes:
            for seed in seeds:
                run = train(
                    replace(recipe, seed=seed),
                    Path(folder) / f"{recipe.quantizer.method}-{seed}",
                    device=device,
                )
                if not run.is_finished:
                    raise KeyboardInterrupt
                results.append(evaluate(run))
    return {
        "benchmark": "quantizers",
        "date": today(),
        "device": device_name(run.environment.device, torch.get_num_threads()),
        "environment": run.environment.__dict__,
        "recipes": {recipe.recipe_hash: config_to_json(recipe) for recipe in recipes},
        "results": results,
    }


def markdown_table(comparison: dict[str, Any]) -> str:
    """A row a method, the value of every seed in every cell, and the recipe, seeds and N under it."""
    results = comparison["results"]
    methods = list(dict.fromkeys(result["quantizer"] for result in results))
    seeds = list(dict.fromkeys(result["seed"] for result in results))
    first, recipe = results[0], next(iter(comparison["recipes"].values()))
    lines = [
        "| method | codes K | " + " | ".join(COLUMNS) + " |",
        "|---|---:|" + "---:|" * len(COLUMNS),
    ]
    for method in methods:
        of_method = [result for result in results if result["quantizer"] == method]
        cells = [" · ".join(_cell(result[key], style) for result in of_method) for key, style in COLUMNS.values()]
        lines.append(f"| `{method}` | {of_method[0]['codebook_size']} | " + " | ".join(cells) + " |")
    lines += [
        "",
        f"One recipe for all: {recipe['data']}, {recipe['image_size']} px, {first['steps']} steps of "
        f"{recipe['batch_size']} crops, D = {first['dim']}. A value a seed ({', '.join(map(str, seeds))}), measured on "
        f"N = {first['images']} held-out crops ({first['tokens']} tokens) of {first['photographs']} photographs; "
        f"{comparison['date']}, {comparison['device']}.",
    ]
    return "\n".join(lines)


def _cell(value: float | None, style: str) -> str:
    return "–" if value is None else format(value, style)
