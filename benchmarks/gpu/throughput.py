"""Images per second of training on a GPU, and the parts of a step.

The loop of `lgq-explore train` is measured with the recipe of the `small` preset at 128 and 256 px, over intervals of
LOG_STEPS steps with everything in them, including a row of the history. Then the quantizer alone is measured, forward
and backward on the last step's latents, and making a batch alone: crops, transfer to the device, conversion of range.
`variants` are the same step outside of the loop, in other memory formats and with torch.compile, which the loop does
not use. `initializations` are initial codebooks, from two tokens per code.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lgq_explore.bench.results import today
from lgq_explore.bench.training import METHODS, StepWatch, clock, training_images
from lgq_explore.errors import InputError
from lgq_explore.images.opening import open_source
from lgq_explore.images.source import Source
from lgq_explore.models import BackboneConfig, Tokenizer, build_tokenizer
from lgq_explore.quantizers.initialization import initial_codebook, tokens_needed
from lgq_explore.runs.config import TrainConfig, config_to_json
from lgq_explore.training.loop import train
from lgq_explore.training.objectives.base import TrainingPass
from lgq_explore.training.objectives.of_recipe import Objectives
from lgq_explore.training.optimizer import adamw
from lgq_explore.training.presets import preset

from .clock import cost_of, on_what
from .job import Job

CODEBOOK_SIZE, TOY_CODEBOOK_SIZE = 16384, 64
SHAPES = ((128, 32), (256, 32), (128, 128), (256, 128))
"""Image sizes in pixels, and images per step."""
TOY_SHAPES = ((16, 2),)
LOG_STEPS, INTERVALS = 10, 4
"""Steps between rows of the history, as in all presets; and how many such intervals, the first of which warms up."""
BATCHES = 5
"""Steps made to estimate the time of one."""
INITIALIZATIONS = ("kmeans++", "kmeans")
INITIALIZED_SIZES, TOY_INITIALIZED_SIZES = (1024, 16384, 65536), (64,)
VARIANTS = {"contiguous": (torch.contiguous_format, False), "channels last": (torch.channels_last, False)}
COMPILED = {"channels last, compiled": (torch.channels_last, True)}
LONGEST_COMPILATION = 75.0
"""Seconds that must be left for torch.compile to be tried."""


def measure_training(job: Job) -> dict[str, Any]:
    """Measure all shapes with all methods, as many as time allows, smaller ones first; torch.compile after one."""
    deadline, longest = time.monotonic() + job.seconds, 0.0
    recipes = list(_recipes(job))
    result: dict[str, Any] = {
        "benchmark": "gpu-training",
        "date": today(),
        **on_what(job.device),
        "protocol": {
            "clock": "GPU time" if job.device.type == "cuda" else "CPU time",
            "log_steps": LOG_STEPS,
            "intervals": INTERVALS - 1,
            "precision": "bf16-mixed" if job.device.type == "cuda" else "32-true",
        },
        "recipes": {recipe.recipe_hash: config_to_json(recipe) for recipe in recipes},
        "initializations": list(_initializations(job)),
        "variants": [],
        "results": [],
    }
    result["variants"] += [_variant(recipes[0], job, name, *variant) for name, variant in VARIANTS.items()]
    job.keep(result)
    shapes = [list(of_shape) for _, of_shape in groupby(recipes, lambda recipe: (recipe.image_size, recipe.batch_size))]
    for of_shape in shapes:
        for recipe in of_shape:
            started = time.monotonic()
            if started + longest > deadline:
                result["results"].append(_row(recipe, None, "no time was left"))
                continue
            result["results"].append(_measured(recipe, job.device))
            longest = max(longest, time.monotonic() - started)
            job.keep(result)
        if of_shape is shapes[0] and (job.toy or time.monotonic() + LONGEST_COMPILATION < deadline):
            result["variants"] += [_variant(recipes[0], job, name, *variant) for name, variant in COMPILED.items()]
            job.keep(result)
    return result


def _recipes(job: Job) -> Iterator[TrainConfig]:
    size = TOY_CODEBOOK_SIZE if job.toy else CODEBOOK_SIZE
    for image_size, batch_size in TOY_SHAPES if job.toy else SHAPES:
        for method in METHODS[:2] if job.toy else METHODS:
            recipe = replace(preset("small", method, size), data=job.data)
            recipe = replace(recipe, image_size=image_size, batch_size=batch_size, log_steps=LOG_STEPS)
            yield replace(recipe, backbone=BackboneConfig((8, 8, 8), dim=8)) if job.toy else recipe


def _measured(recipe: TrainConfig, device: torch.device) -> dict[str, Any]:
    source = open_source(recipe.data, recipe.image_size, seed=recipe.seed)
    watch = StepWatch(recipe, source, LOG_STEPS, LOG_STEPS * INTERVALS)
    _forget_peak(device)
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
            return _row(recipe, None, str(error).splitlines()[0])
    peak = torch.cuda.max_memory_allocated(device) / 1e6 if device.type == "cuda" else None
    return _row(recipe, watch, None, batch_seconds=_batch_seconds(source, recipe, device), megabytes=peak)


def _batch_seconds(source: Source, recipe: TrainConfig, device: torch.device) -> float:
    seconds = []
    for step in range(BATCHES):
        started = clock(device)
        training_images(source, recipe, step, device)
        seconds.append(clock(device) - started)
    return statistics.median(seconds)


def _row(recipe: TrainConfig, watch: StepWatch | None, not_run: str | None, **costs: float | None) -> dict[str, Any]:
    measured: dict[str, Any] = dict.fromkeys(
        ("step_seconds", "images_per_second", "quantizer_seconds", "share", "batch_seconds", "megabytes")
    )
    if watch is not None:
        step = statistics.median(watch.interval_seconds) / LOG_STEPS
        quantizer = statistics.median(watch.quantizer_seconds)
        measured |= {"step_seconds": step, "images_per_second": recipe.batch_size / step}
        measured |= {"quantizer_seconds": quantizer, "share": quantizer / step, **costs}
        measured["intervals"] = watch.interval_seconds
    return {
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


def _variant(recipe: TrainConfig, job: Job, name: str, layout: torch.memory_format, compiled: bool) -> dict[str, Any]:
    """A single step with FSQ, the cheapest quantizer, which shows the cost of the backbone."""
    device = job.device
    recipe = replace(recipe, quantizer=preset("small", "fsq", recipe.quantizer.size).quantizer, loss_weights={})
    tokenizer = build_tokenizer(recipe.backbone, recipe.quantizer, recipe.seed).to(device, memory_format=layout)
    if compiled:
        for part in (tokenizer.encoder, tokenizer.decoder):
            part.compile(backend="eager" if job.toy else "inductor")
    generator = torch.Generator(device).manual_seed(0)
    shape = (recipe.batch_size, 3, recipe.image_size, recipe.image_size)
    images = torch.rand(shape, device=device, generator=generator).mul(2).sub(1).to(memory_format=layout)
    head = {"variant": name, "image_size": recipe.image_size, "batch_size": recipe.batch_size}
    try:
        started = time.monotonic()
        step = _step(tokenizer, recipe, images)
        step()
        first = time.monotonic() - started
        cost = cost_of(step, device, seconds=2.0)
    except Exception as error:  # compilers raise many kinds of exceptions
        return {**head, "median_milliseconds": None, "not_run": (str(error).splitlines() or [repr(error)])[0]}
    images_per_second = recipe.batch_size / cost.median * 1e3
    return {
        **head,
        "milliseconds": cost.milliseconds,
        "median_milliseconds": cost.median,
        "images_per_second": images_per_second,
        "first_step_seconds": first,
        "not_run": None,
    }


def _step(tokenizer: Tokenizer, recipe: TrainConfig, images: Tensor) -> Callable[[], object]:
    parameters = list(tokenizer.parameters())
    optimizer, objectives = adamw(tokenizer, recipe), Objectives(recipe)
    kind = images.device.type

    def step() -> None:
        with torch.autocast(kind, torch.bfloat16, enabled=kind == "cuda"):
            output = tokenizer(images)
            loss = objectives.minimised(TrainingPass(0, images, output)).total
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, recipe.gradient_clip)
        optimizer.step()

    return step


def _initializations(job: Job) -> Iterator[dict[str, Any]]:
    """Initial codebooks from 2K tokens of the `small` preset's width, drawn from a unit normal distribution."""
    dim = preset("small").backbone.dim
    for size in TOY_INITIALIZED_SIZES if job.toy else INITIALIZED_SIZES:
        generator = torch.Generator(job.device).manual_seed(0)
        tokens = torch.randn(tokens_needed(size), dim, device=job.device, generator=generator)
        for initialization in INITIALIZATIONS:

            def draw(size: int = size, tokens: Tensor = tokens, initialization: str = initialization) -> Tensor:
                return initial_codebook(tokens, size, initialization, torch.Generator().manual_seed(0))

            cost = cost_of(draw, job.device, seconds=1.0)
            yield {
                "initialization": initialization,
                "codebook_size": size,
                "tokens": len(tokens),
                "dim": dim,
                "milliseconds": cost.milliseconds,
                "median_milliseconds": cost.median,
            }


def _forget_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
