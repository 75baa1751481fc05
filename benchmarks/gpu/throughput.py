"""Images per second of training on a GPU, and the parts of a step.

The loop of `lgq-explore train` is measured with the recipes of presets and in bfloat16, over intervals of LOG_STEPS
steps with everything in them, including a row of the history. Then the quantizer alone is measured, forward and
backward on the last step's latents, and making a batch alone: crops, transfer to the device, conversion of range.
`parts` are the seconds of a step outside of the loop by part, see `step_parts`. `variants` are that step in other
memory formats and with torch.compile. `initializations` are initial codebooks, from two tokens per code.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lgq_explore.bench.results import today
from lgq_explore.bench.training import METHODS, PEAKS, StepWatch, clock, training_images
from lgq_explore.errors import InputError
from lgq_explore.images.opening import open_source
from lgq_explore.images.source import Source
from lgq_explore.metrics.feature_networks import EFFICIENTNET_LITE0
from lgq_explore.models import build_tokenizer
from lgq_explore.quantizers.initialization import initial_codebook, tokens_needed
from lgq_explore.runs.config import TrainConfig, config_to_json
from lgq_explore.training.loop import train
from lgq_explore.training.presets import preset, with_quantizer
from lgq_explore.training.step.compilation import compiled

from .clock import cost_of, on_what
from .job import Job
from .step_parts import seconds_by_part, whole_step

CODEBOOK_SIZE, TOY_CODEBOOK_SIZE = 16384, 64
PRESETS = ("small", "vqgan-128", "vqgan-256")
BATCH_SIZE, TOY_BATCH_SIZE, TOY_IMAGE_SIZE = 32, 2, 32
"""Images per step, in each preset; vqgan-256 has as many on each GPU in each micro-batch where it was published."""
LOG_STEPS, TOY_LOG_STEPS, INTERVALS = 10, 2, 4
"""Steps between rows of the history, as in all presets; and how many such intervals, the first of which warms up."""
BATCHES = 5
"""Steps made to estimate the time of one."""
INITIALIZATIONS = ("kmeans++", "kmeans")
INITIALIZED_SIZES, TOY_INITIALIZED_SIZES = (1024, 16384, 65536), (64,)
VARIANTS = {"contiguous": (torch.contiguous_format, False), "channels last": (torch.channels_last, False)}
OBJECTIVES = {"perceptual": {"features": EFFICIENTNET_LITE0}, "gan": {"start_step": 0, "ramp_steps": 0}}
"""Settings of the terms that a preset has: features whose weights come with a package, and a GAN from step 0 on."""
COMPILED = {"channels last, compiled": (torch.channels_last, True)}
PRECISION = "bf16-mixed"
LONGEST_COMPILATION = 75.0
"""Seconds that must be left for torch.compile to be tried."""


def measure_training(job: Job) -> dict[str, Any]:
    """Measure all presets with all methods, as many as time allows, smaller ones first; torch.compile at the end."""
    deadline, longest = time.monotonic() + job.seconds, 0.0
    recipes = {name: list(_recipes(name, job)) for name in PRESETS}
    result: dict[str, Any] = {
        "benchmark": "gpu-training",
        "date": today(),
        **on_what(job.device),
        "protocol": {
            "clock": "GPU time" if job.device.type == "cuda" else "CPU time",
            "log_steps": _log_steps(job),
            "intervals": INTERVALS - 1,
            "precision": PRECISION,
            "objectives": OBJECTIVES,
        },
        "recipes": {recipe.recipe_hash: config_to_json(recipe) for each in recipes.values() for recipe in each},
        "initializations": list(_initializations(job)),
        "variants": [],
        "results": [],
    }
    for name, of_preset in recipes.items():
        for recipe in of_preset:
            started = time.monotonic()
            if started + longest > deadline:
                result["results"].append(_row(name, recipe, None, "no time was left"))
                continue
            result["results"].append(_measured(name, recipe, job.device))
            longest = max(longest, time.monotonic() - started)
            job.keep(result)
        if time.monotonic() + longest < deadline:
            result["variants"] += [_variant(name, of_preset[0], job, *variant) for variant in VARIANTS.items()]
            job.keep(result)
    for name, of_preset in reversed(recipes.items()):  # the preset whose steps are longest has most to gain
        if job.toy or time.monotonic() + LONGEST_COMPILATION < deadline:
            result["variants"] += [_variant(name, of_preset[0], job, *variant) for variant in COMPILED.items()]
            job.keep(result)
    return result


def _log_steps(job: Job) -> int:
    return TOY_LOG_STEPS if job.toy else LOG_STEPS


def _recipes(name: str, job: Job) -> Iterator[TrainConfig]:
    for method in METHODS[:2] if job.toy else METHODS:
        recipe = replace(
            preset(name, method, TOY_CODEBOOK_SIZE if job.toy else CODEBOOK_SIZE),
            data=job.data,
            batch_size=TOY_BATCH_SIZE if job.toy else BATCH_SIZE,
            accumulation=1,
            log_steps=_log_steps(job),
            precision=PRECISION,
        )
        changes = {**OBJECTIVES, "gan": {**OBJECTIVES["gan"], "width": 8}} if job.toy else OBJECTIVES
        objectives = {term: {**settings, **changes[term]} for term, settings in recipe.objectives.items()}
        recipe = replace(recipe, objectives=objectives)
        backbone = replace(recipe.backbone, channels=(8,) * len(recipe.backbone.channels), dim=8)
        yield replace(recipe, image_size=TOY_IMAGE_SIZE, backbone=backbone) if job.toy else recipe


def _measured(name: str, recipe: TrainConfig, device: torch.device) -> dict[str, Any]:
    source = open_source(recipe.data, recipe.image_size, seed=recipe.seed)
    watch = StepWatch(recipe, source, recipe.log_steps, recipe.log_steps * INTERVALS, PEAKS[device.type]())
    with tempfile.TemporaryDirectory(prefix="lgq-explore-bench-") as folder:
        try:
            train(
                replace(recipe, checkpoint_steps=10**9, snapshot_steps=10**9),
                Path(folder) / "run",
                device=device.type,
                on_log=watch,
                controls=watch.controls,
                progress=False,
            )
        except InputError as error:  # it does not fit into memory
            return _row(name, recipe, None, str(error).splitlines()[0])
    tokenizer = build_tokenizer(recipe.backbone, recipe.quantizer, recipe.seed).to(device)
    parts = seconds_by_part(tokenizer, recipe, training_images(source, recipe, 0, device))
    batch_seconds = _batch_seconds(source, recipe, device)
    return _row(name, recipe, watch, None, batch_seconds=batch_seconds, megabytes=watch.megabytes, parts=parts)


def _batch_seconds(source: Source, recipe: TrainConfig, device: torch.device) -> float:
    seconds = []
    for step in range(BATCHES):
        started = clock(device)
        training_images(source, recipe, step, device)
        seconds.append(clock(device) - started)
    return statistics.median(seconds)


def _row(name: str, recipe: TrainConfig, watch: StepWatch | None, not_run: str | None, **costs: Any) -> dict[str, Any]:
    measured: dict[str, Any] = dict.fromkeys(
        ("step_seconds", "images_per_second", "quantizer_seconds", "share", "batch_seconds", "megabytes", "parts")
    )
    if watch is not None:
        step = statistics.median(watch.interval_seconds) / recipe.log_steps
        quantizer = statistics.median(watch.quantizer_seconds)
        measured |= {"step_seconds": step, "images_per_second": recipe.batch_size / step}
        measured |= {"quantizer_seconds": quantizer, "share": quantizer / step, **costs}
        measured["intervals"] = watch.interval_seconds
    return {
        "preset": name,
        "quantizer": recipe.quantizer.method,
        "codebook_size": recipe.quantizer.size,
        "dim": recipe.backbone.dim,
        "image_size": recipe.image_size,
        "batch_size": recipe.batch_size,
        "tokens": recipe.batch_size * (recipe.image_size // recipe.backbone.factor) ** 2,
        "recipe_hash": recipe.recipe_hash,
        **measured,
        "not_run": not_run,
    }


def _variant(
    name: str, recipe: TrainConfig, job: Job, variant: str, settings: tuple[torch.memory_format, bool]
) -> dict[str, Any]:
    """A single step with FSQ, the cheapest quantizer, which shows the cost of the backbone."""
    layout, is_compiled = settings
    recipe = with_quantizer(recipe, "fsq", recipe.quantizer.size)
    tokenizer = build_tokenizer(recipe.backbone, recipe.quantizer, recipe.seed)
    tokenizer = tokenizer.to(job.device, memory_format=layout)
    generator = torch.Generator(job.device).manual_seed(0)
    shape = (recipe.batch_size, 3, recipe.image_size, recipe.image_size)
    images = torch.rand(shape, device=job.device, generator=generator).mul(2).sub(1).to(memory_format=layout)
    head = {"preset": name, "variant": variant, "image_size": recipe.image_size, "batch_size": recipe.batch_size}
    try:
        started = time.monotonic()
        stepped = compiled(tokenizer, "eager" if job.toy else "inductor") if is_compiled else tokenizer
        step = whole_step(stepped, recipe, images)
        step()
        first = time.monotonic() - started
        cost = cost_of(step, job.device, seconds=job.at_most(2.0))
    except Exception as error:  # compilers raise many kinds of exceptions
        return {**head, "median_milliseconds": None, "not_run": (str(error).splitlines() or [repr(error)])[0]}
    return {
        **head,
        "milliseconds": cost.milliseconds,
        "median_milliseconds": cost.median,
        "images_per_second": recipe.batch_size / cost.median * 1e3,
        "first_step_seconds": first,
        "not_run": None,
    }


def _initializations(job: Job) -> Iterator[dict[str, Any]]:
    """Initial codebooks from 2K tokens of the `small` preset's width, drawn from a unit normal distribution."""
    dim = preset("small").backbone.dim
    for size in TOY_INITIALIZED_SIZES if job.toy else INITIALIZED_SIZES:
        generator = torch.Generator(job.device).manual_seed(0)
        tokens = torch.randn(tokens_needed(size), dim, device=job.device, generator=generator)
        for initialization in INITIALIZATIONS:

            def draw(size: int = size, tokens: Tensor = tokens, initialization: str = initialization) -> Tensor:
                return initial_codebook(tokens, size, initialization, torch.Generator().manual_seed(0))

            cost = cost_of(draw, job.device, seconds=job.at_most(1.0))
            yield {
                "initialization": initialization,
                "codebook_size": size,
                "tokens": len(tokens),
                "dim": dim,
                "milliseconds": cost.milliseconds,
                "median_milliseconds": cost.median,
            }
